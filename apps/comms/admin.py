"""Webhooks that came in, for Super Admins; to look at, without their content."""

from __future__ import annotations

from django.contrib import admin

from apps.tenants.admin import LookOnly

from .models import InboundEvent


@admin.register(InboundEvent)
class InboundEventAdmin(LookOnly):
    list_display = ["received_at", "source", "type", "event_id", "state", "note"]
    list_filter = ["state", "source"]
    search_fields = ["event_id"]
    exclude = ["sealed"]
