"""The log across tenants, for Super Admins; to look at."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path

from apps.tenants.admin import LookOnly
from apps.tenants.slots import slots

from .models import Entry
from .verify import verify_everywhere


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
    change_list_template = "admin/audit/entry_list.html"

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.verification)
        return [path("verify/", view, name="audit_verification"), *super().get_urls()]

    def verification(self, request: HttpRequest) -> HttpResponse:
        """Every tenant's chain; POST walks them all now."""
        found = verify_everywhere() if request.method == "POST" else []
        context = {**self.admin_site.each_context(request), "title": "Verification of all audit logs", "found": found}
        return TemplateResponse(request, "admin/audit/verification.html", context)

    @admin.display(description="who")
    def who(self, entry: Entry) -> str:
        """The member's name where there is one; else the kind of actor."""
        names = slots.actor_names({entry.actor_id}) if entry.actor_id else {}
        return next(iter(names.values()), entry.actor_type)
