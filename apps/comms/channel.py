"""What a mail provider tells by `/webhooks/comms/<channel>`: that a mail of ours bounced, or was reported as spam."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from apps.audit.actions import record
from apps.tenants.context import as_system
from apps.tenants.slots import Inbound

from .actions.mail import tell_owners
from .models import OutboxMessage, OutboxState

UNKNOWN = "No mail of ours has this id."
NOTICE = "comms/mail/undelivered"
STATES = {"mail.bounced": OutboxState.BOUNCED, "mail.complained": OutboxState.COMPLAINED}
UUID_TEXT = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
# As our Message-ID is made: the mail, and the tenant whose it is.
OURS = re.compile(rf"<?({UUID_TEXT})\.({UUID_TEXT})@[^<>@\s]+>?\Z")


def deal_with(event: Inbound) -> str | None:
    """Mark the mail and tell the owners of its tenant; None for other types, and for a bounce that will be tried again."""
    data = event.body.get("data")
    if event.type not in STATES or not isinstance(data, dict) or data.get("permanent") is False:
        return None
    found = OURS.match(str(data.get("message_id", "")).lower())
    if found is None:
        return UNKNOWN
    with as_system(UUID(found[2])):
        return _mark(UUID(found[1]), STATES[event.type])


def _mark(pk: UUID, state: OutboxState) -> str:
    mail = OutboxMessage.objects.select_for_update().filter(pk=pk).first()
    if mail is None:
        return UNKNOWN
    if mail.state in STATES.values():
        return _("It was known already.")
    mail.state = state
    mail.save()
    record(f"mail.{state.value}", mail, facts={"template": mail.template, "attempts": mail.attempts})
    if mail.template != NOTICE:
        context: dict[str, Any] = {"to": mail.to, "subject": mail.subject, "what": OutboxState(state).label}
        tell_owners(NOTICE, "settings/members/", f"undelivered:{mail.pk}", context)
    return str(state.label)
