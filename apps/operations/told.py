"""Signed heads in the hands of people: mailed to owners and told to webhooks once a day, where the log has grown.

Whoever keeps such a mail can later show that the log they are given is not the log that was: a shorter or another past
does not continue it. `scripts/orkestra_verify.py --checkpoint` takes the note of the mail as it is.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from django.conf import settings
from django.db import transaction

from apps.audit import keys
from apps.audit.checkpoints import newest_checkpoint
from apps.comms.actions import publish_event, tell_owners
from apps.comms.models import DeliveryState, OutboxMessage, OutboxState, WebhookDelivery, WebhookEvent
from apps.tenants.context import TenantContext, as_system, tenant_context
from apps.tenants.models import PLATFORM_TENANT_ID, Tenant

VARIABLE = "ORKESTRA_AUDIT_ANCHOR_MAIL"
TEMPLATE = "operations/mail/anchor"
EVENT = "audit.checkpoint"
PREFIX = "audit_anchor"


def tell_all() -> int:
    """Tell the newest head of every tenant's log that has grown since the last one told; returns how many were."""
    with tenant_context(TenantContext(platform=True, credential="system")):
        tenants = list(Tenant.objects.exclude(pk=PLATFORM_TENANT_ID).values_list("pk", flat=True))
    told = 0
    for tenant in tenants:
        with as_system(tenant):
            told += tell()
    return told


@transaction.atomic
def tell() -> bool:
    """Promise the newest head of the tenant in force to its owners and webhooks; the same head is promised once."""
    head = newest_checkpoint()
    if head is None or _was_told(head.size, head.origin):
        return False
    publish_event(EVENT, origin=head.origin, size=head.size, root=bytes(head.root).hex(), note=head.note)
    if settings.CONFIG.switch(VARIABLE):
        fingerprints = [keys.fingerprint(public) for public in keys.public_keys()]
        context = {"note": head.note, "size": head.size, "made_at": head.made_at, "fingerprints": fingerprints}
        tell_owners(TEMPLATE, "settings/audit-log/", _dedupe(head.origin, head.size).rstrip(":"), context)
    return True


def _was_told(size: int, origin: str) -> bool:
    """Whether this very head went to webhooks and, where that is on, to mails; without any of them it is not told."""
    event = WebhookEvent.objects.filter(type=EVENT).order_by("-occurred_at").first()
    said = json.loads(event.payload)["data"] if event else {}
    mailed = OutboxMessage.objects.filter(dedupe__startswith=_dedupe(origin, size)).exists()
    return (said.get("size"), said.get("origin")) == (size, origin) or mailed


def _dedupe(origin: str, size: int) -> str:
    return f"{PREFIX}:{origin.rpartition('/')[2]}:{size}:"


def told_heads() -> Sequence[tuple[str, int, datetime]]:
    """The newest heads of the tenant in force that a mail server and a webhook have taken: (kind, size, when)."""
    found: list[tuple[str, int, datetime]] = []
    mails = OutboxMessage.objects.filter(template=TEMPLATE, state=OutboxState.SENT).order_by("-sent_at")
    if (mail := mails.first()) is not None and mail.sent_at is not None:
        found.append(("mail", int(mail.dedupe.split(":")[2]), mail.sent_at))
    rows = WebhookDelivery.objects.filter(event__type=EVENT, state=DeliveryState.DELIVERED).select_related("event")
    if (taken := rows.order_by("-done_at").first()) is not None and taken.done_at is not None:
        found.append(("webhook", int(json.loads(taken.event.payload)["data"]["size"]), taken.done_at))
    return found
