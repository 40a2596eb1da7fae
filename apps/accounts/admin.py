"""Tenants and people, for Super Admins: to look at, and to suspend a tenant."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _

from apps.tenants.admin import LookOnly, OfTenant
from apps.tenants.freshness import require_fresh
from apps.tenants.models import PLATFORM_TENANT_ID, Tenant
from apps.tenants.pages import refusal_on

from . import actions, support
from .inputs import SupportInput, SuspensionInput
from .models import Member, SupportVisit, User


@admin.register(Tenant)
class TenantAdmin(LookOnly):
    """Every tenant; a Super Admin may shut one out and let it in again."""

    list_display = ["name", "slug", "is_active", "door", "timezone", "created_at"]
    list_filter = ["is_active"]
    search_fields = ["name", "slug"]
    change_form_template = "admin/accounts/tenant.html"

    def get_urls(self) -> list[Any]:
        """The confirmation stands before the library's address that takes any path."""
        view = self.admin_site.admin_view(self.suspension)
        return [path("<uuid:pk>/suspension/", view, name="tenant_suspension"), *super().get_urls()]

    @admin.display(description=_("Access"))
    def door(self, tenant: Tenant) -> str:
        """The way to the confirmation, for each but the platform's own."""
        if tenant.pk == PLATFORM_TENANT_ID:
            return "–"
        place = reverse("admin:tenant_suspension", args=[tenant.pk])
        return format_html('<a href="{}">{}</a>', place, _("Suspend …") if tenant.is_active else _("Open again …"))

    def suspension(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """What suspending means, the reason and the address typed once more; POST does it, or ends it."""
        require_fresh("tenant.suspend")
        found = get_object_or_404(Tenant.objects.exclude(pk=PLATFORM_TENANT_ID), pk=pk)
        asked = SuspensionInput(request.POST or None, tenant=found)
        if request.method == "POST" and asked.is_valid():
            act = actions.suspend_tenant if found.is_active else actions.resume_tenant
            with refusal_on(asked):
                act(found, by=cast(User, request.user), reason=asked.cleaned_data["reason"])
                said = _("%(name)s is suspended.") if found.is_active else _("%(name)s is open again.")
                messages.success(request, said % {"name": found.name})
                return redirect("admin:tenants_tenant_changelist")
        title = _("Suspend %(name)s") if found.is_active else _("Open %(name)s again")
        context = {
            **self.admin_site.each_context(request),
            "title": title % {"name": found.name},
            "input": asked,
            "opts": self.opts,
            "original": found,
            "members": Member.objects.active().filter(tenant=found).count(),
        }
        return TemplateResponse(request, "admin/accounts/suspension.html", context, status=422 if asked.errors else 200)


@admin.register(User)
class UserAdmin(LookOnly):
    list_display = ["email", "name", "is_active", "is_platform_admin", "last_login"]
    list_filter = ["is_active", "is_platform_admin"]
    search_fields = ["email", "name"]
    exclude = ["password"]


@admin.register(Member)
class MemberAdmin(LookOnly):
    list_display = ["user", "tenant", "role", "is_active", "joined_at"]
    list_filter = [OfTenant, "role", "is_active"]
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
