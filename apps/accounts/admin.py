"""People across tenants, for Super Admins; to look at."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse

from apps.tenants.admin import LookOnly
from apps.tenants.freshness import require_fresh
from apps.tenants.pages import refusal_on

from . import support
from .inputs import SupportInput
from .models import Member, SupportVisit, User


@admin.register(User)
class UserAdmin(LookOnly):
    list_display = ["email", "name", "is_active", "is_platform_admin", "last_login"]
    list_filter = ["is_active", "is_platform_admin"]
    search_fields = ["email", "name"]
    exclude = ["password"]


@admin.register(Member)
class MemberAdmin(LookOnly):
    list_display = ["user", "tenant", "role", "is_active", "joined_at"]
    list_filter = ["role", "is_active", "tenant"]
    list_select_related = ["user", "tenant"]
    search_fields = ["user__email", "user__name"]


@admin.register(SupportVisit)
class SupportVisitAdmin(LookOnly):
    """Who entered which tenant, when and why; adding one is entering."""

    list_display = ["opened_at", "visitor", "tenant", "reason", "closes_at", "closed_at"]
    list_select_related = ["visitor", "tenant"]
    ordering = ["-opened_at"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(getattr(request.user, "is_platform_admin", False))

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Ask for tenant and reason; then the tenant's home."""
        require_fresh("support.enter")
        asked = SupportInput(request.POST or None, initial={"tenant": request.GET.get("tenant", "")})
        if request.method == "POST" and asked.is_valid():
            with refusal_on(asked):
                visit = support.enter(
                    asked.cleaned_data["tenant"], by=cast(User, request.user), reason=asked.cleaned_data["reason"]
                )
                kept = {"tenant": str(visit.tenant_id), "visit": str(visit.pk)}
                request.session[support.SESSION_KEY] = kept
                return redirect(f"/t/{visit.tenant.slug}/")
        context = {
            **self.admin_site.each_context(request),
            "title": "Enter a tenant",
            "input": asked,
            "opts": self.opts,
        }
        return TemplateResponse(request, "admin/accounts/enter.html", context, status=422 if asked.errors else 200)
