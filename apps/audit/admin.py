"""The log across tenants, for Super Admins; to look at."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from .models import Entry


@admin.register(Entry)
class EntryAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # not subscriptable at run time
    list_display = ["time", "tenant", "title", "actor_type", "target_type", "target_label", "outcome"]
    list_filter = ["action", "outcome", "tenant"]
    list_select_related = ["tenant"]
    search_fields = ["target_label", "request_id"]
    ordering = ["-time", "-id"]
    show_full_result_count = False
    actions = None
    exclude = ["body"]
    readonly_fields = ["facts"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
