"""Security events as they are kept for Super Admins."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.tenants import clock
from apps.tenants.ids import new_id
from apps.tenants.security_events import Kind

KINDS: dict[str, Any] = {
    Kind.TOKEN_REUSED: _("A used refresh token came again"),
    Kind.BRUTE_FORCE: _("Guessing of passwords or codes"),
    Kind.ESCALATION_DENIED: _("Asked for more than the role allows"),
    Kind.CHAIN_BROKEN: _("An audit chain is broken"),
    Kind.ACT_UNLOGGED: _("Something that no audit entry tells of"),
    Kind.WEBHOOK_FORGED: _("A webhook with a false signature"),
    Kind.CONTEXT_FORGED: _("A forged tenant binding"),
    Kind.JOB_FORGED: _("A job that was not signed"),
    Kind.IDENTITY_FORGED: _("A forged identity"),
    Kind.DOMAIN_MISSING: _("The DNS record of a mail domain is missing, and only single sign-on is let in"),
    Kind.FILE_CORRUPT: _("A stored file is not what it was"),
    Kind.POLICY_VIOLATED: _("A page broke its security policy"),
    Kind.SUPPORT_ENTERED: _("Support entered a tenant"),
}


class AlarmQuerySet(models.QuerySet["Alarm"]):
    def unseen(self) -> AlarmQuerySet:
        """Those that no Super Admin has marked as seen."""
        return self.filter(seen_at=None)


class Alarm(models.Model):
    """One security event, or `count` equal ones of the same moment. Ids, numbers and names of ours only.

    The app's role may add rows and not even read them; Super Admins read them and mark them as seen.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    at = models.DateTimeField(_("when"), default=clock.now)
    kind = models.CharField(_("what"), max_length=32, choices=KINDS.items())
    facts = models.JSONField(_("facts"), default=dict)
    about_tenant = models.UUIDField(_("tenant"), null=True)
    about_user = models.UUIDField(_("person"), null=True)
    request_id = models.CharField(_("request"), max_length=64, blank=True)
    count = models.PositiveIntegerField(_("times"), default=1)
    seen_at = models.DateTimeField(_("seen"), null=True)
    seen_by = models.UUIDField(_("seen by"), null=True)

    objects = AlarmQuerySet.as_manager()

    class Meta:
        verbose_name = _("security event")
        verbose_name_plural = _("security events")
        indexes = [
            models.Index(fields=["-at", "-id"], name="operations_alarm_time"),
            models.Index(fields=["kind"], condition=models.Q(seen_at=None), name="operations_alarm_unseen"),
        ]

    def __str__(self) -> str:
        return str(self.get_kind_display())


from .streams.models import Stream  # noqa: E402, F401  a part of this room with files of its own
