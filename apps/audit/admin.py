"""The log across tenants, for Super Admins; to look at."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.tenants.admin import LookOnly, OfTenant, tenant_asked_for
from apps.tenants.context import as_platform
from apps.tenants.models import PLATFORM_TENANT_ID
from apps.tenants.slots import slots

from .asked import last_verified, verify_everywhere
from .models import Entry
from .viewing import viewed

MOST_LOGS = 200  # on the page of verification


@admin.register(Entry)
class EntryAdmin(LookOnly):
    list_display = ["time", "tenant", "title", "who", "target_type", "target_label", "outcome"]
    list_filter = [OfTenant, "action", "outcome"]
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
        """What was last found of every tenant's chain; POST walks them all, now or, where somebody cannot wait, by a job."""
        if request.method == "POST":
            walked, left = verify_everywhere()
            self.message_user(request, _walked(len(walked), left))
            return redirect("admin:audit_verification")
        rows = last_verified().order_by("whole", "full_at")
        context = {
            "title": _("Verification of all audit logs"),
            "rows": rows[:MOST_LOGS],
            "more": max(0, rows.count() - MOST_LOGS),
        }
        return TemplateResponse(
            request, "admin/audit/verification.html", self.admin_site.each_context(request) | context
        )

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The entries; a look is itself recorded, in the log of the tenant that it is about."""
        answer = super().changelist_view(request, extra_context)
        if answer.status_code == HTTPStatus.OK:
            of = tenant_asked_for(request)
            _looked(of.pk if of else PLATFORM_TENANT_ID, request.GET.dict())
        return answer

    def change_view(self, request: HttpRequest, object_id: str, *rest: Any, **named: Any) -> HttpResponse:
        """One entry, which is a look as well."""
        answer = super().change_view(request, object_id, *rest, **named)
        if (found := self.get_object(request, object_id)) is not None:
            _looked(found.tenant_id, {"entry": object_id})
        return answer

    @admin.display(description="who")
    def who(self, entry: Entry) -> str:
        """The member's name where there is one; else the kind of actor."""
        names = slots.actor_names({entry.actor_id}) if entry.actor_id else {}
        return next(iter(names.values()), entry.actor_type)


def _walked(walked: int, left: int) -> str:
    told = ngettext("%(n)s log was walked.", "%(n)s logs were walked.", walked) % {"n": walked}
    if left:
        told += " " + ngettext("A job walks %(n)s more.", "A job walks %(n)s more.", left) % {"n": left}
    return told


def _looked(tenant: UUID, query: dict[str, str]) -> None:
    """Record it in the log of the one tenant that it is about, or in the platform's own."""
    with as_platform(tenant):
        viewed(query, door="admin")
