"""The outbox: mails that were promised in a transaction, and what became of each."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.tenants import clock
from apps.tenants.models import TenantModel


class OutboxState(models.TextChoices):
    QUEUED = "queued", _("queued")
    SENT = "sent", _("sent")
    FAILED = "failed", _("failed")
    BOUNCED = "bounced", _("bounced")
    COMPLAINED = "complained", _("reported as spam")


class OutboxMessage(TenantModel):
    """One mail to one person. `dedupe` makes promising it twice the same as promising it once."""

    audit_type: ClassVar[str] = "mail"

    to = models.EmailField()
    user_id = models.UUIDField(null=True)
    template = models.CharField(max_length=100)
    subject = models.CharField(max_length=300)
    body = models.TextField()
    dedupe = models.CharField(max_length=200)
    state = models.CharField(max_length=16, choices=OutboxState.choices, default=OutboxState.QUEUED)
    attempts = models.PositiveSmallIntegerField(default=0)
    last_error = models.CharField(max_length=300, blank=True)
    queued_at = models.DateTimeField(default=clock.now)
    sent_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "dedupe"], name="comms_outbox_dedupe")]
        indexes = [models.Index(fields=["tenant", "state", "queued_at"], name="comms_outbox_state")]
