"""Webhooks that came in: each event once, its content sealed and erased when it is dealt with."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.tenants import clock
from apps.tenants.ids import new_id


class InboundState(models.TextChoices):
    RECEIVED = "received", _("received")
    DONE = "done", _("done")
    IGNORED = "ignored", _("ignored")


class InboundEvent(models.Model):
    """One event of one source, by the id that its sender gave it. No tenant is known when it comes."""

    audit_type: ClassVar[str] = "inbound_event"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    source = models.CharField(_("source"), max_length=60)
    event_id = models.CharField(_("event"), max_length=255)
    type = models.CharField(_("type"), max_length=100)
    sha256 = models.CharField(max_length=64)
    sealed = models.TextField(blank=True)
    state = models.CharField(_("state"), max_length=10, choices=InboundState.choices, default=InboundState.RECEIVED)
    note = models.CharField(_("what came of it"), max_length=200, blank=True)
    received_at = models.DateTimeField(_("received"), default=clock.now)
    done_at = models.DateTimeField(_("done"), null=True)

    class Meta:
        verbose_name = _("inbound webhook")
        verbose_name_plural = _("inbound webhooks")
        ordering = ["-received_at"]
        constraints = [models.UniqueConstraint(fields=["source", "event_id"], name="comms_inbound_once")]

    def __str__(self) -> str:
        return f"{self.source} {self.event_id}"
