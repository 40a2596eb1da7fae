"""Mails and webhooks that came in, across tenants, for Super Admins; to look at, without what they say."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from apps.tenants.admin import LookOnly, OfTenant

from .models import InboundEvent, OutboxMessage


@admin.register(InboundEvent)
class InboundEventAdmin(LookOnly):
    list_display = ["received_at", "source", "type", "event_id", "state", "note"]
    list_filter = ["state", "source"]
    search_fields = ["event_id"]
    exclude = ["sealed"]


@admin.register(OutboxMessage)
class OutboxAdmin(LookOnly):
    """Whether each mail went out, and why not; neither whom it is for nor its text."""

    list_display = ["queued_at", "tenant", "template", "state", "attempts", "sent_at", "error"]
    list_filter = [OfTenant, "state", "template"]
    list_select_related = ["tenant"]
    ordering = ["-queued_at", "-id"]
    fields = ["queued_at", "tenant", "template", "state", "attempts", "sent_at", "error"]
    readonly_fields = ["tenant", "error"]
    show_full_result_count = False

    @admin.display(description=_("last error"))
    def error(self, message: OutboxMessage) -> str:
        """Its kind alone: mail servers quote addresses."""
        return message.last_error.partition(":")[0] or "–"
