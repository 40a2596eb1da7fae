"""The log across tenants, for Super Admins; to look at."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path

from apps.tenants.admin import LookOnly
from apps.tenants.context import as_platform
from apps.tenants.models import PLATFORM_TENANT_ID, Tenant
from apps.tenants.slots import slots

from .models import Entry
from .verify import verify_everywhere
from .viewing import viewed

OF_TENANT = "tenant__id__exact"


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

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The entries; a look is itself recorded, in the log of the tenant that it is about."""
        answer = super().changelist_view(request, extra_context)
        if answer.status_code == HTTPStatus.OK:
            _looked(_uuid(request.GET.get(OF_TENANT)), request.GET.dict())
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


def _looked(tenant: UUID | None, query: dict[str, str]) -> None:
    """Record it in the log of the one tenant that it is about, else in the platform's own."""
    known = tenant if tenant and Tenant.objects.filter(pk=tenant).exists() else None
    with as_platform(known or PLATFORM_TENANT_ID):
        viewed(query, door="admin")


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None
