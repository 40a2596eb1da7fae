"""The log across tenants, for Super Admins; to look at."""

from __future__ import annotations

from django.contrib import admin

from apps.tenants.admin import LookOnly
from apps.tenants.slots import slots

from .models import Entry


@admin.register(Entry)
class EntryAdmin(LookOnly):
    list_display = ["time", "tenant", "title", "who", "target_type", "target_label", "outcome"]
    list_filter = ["action", "outcome", "tenant"]
    list_select_related = ["tenant"]
    search_fields = ["target_label", "request_id"]
    ordering = ["-time", "-id"]
    show_full_result_count = False
    exclude = ["body"]
    readonly_fields = ["facts"]

    @admin.display(description="who")
    def who(self, entry: Entry) -> str:
        """The member's name where there is one; else the kind of actor."""
        names = slots.actor_names({entry.actor_id}) if entry.actor_id else {}
        return next(iter(names.values()), entry.actor_type)
