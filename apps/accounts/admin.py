"""What Super Admins see across tenants. They look; writing in a tenant needs entering it, which is not built yet."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from apps.tenants.models import Tenant

from .models import Member, User


class LookOnly(admin.ModelAdmin):  # type: ignore[type-arg]  # not subscriptable at run time
    """No add, no change, no delete; and no delete action, which would need them."""

    actions = None
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


@admin.register(Tenant)
class TenantAdmin(LookOnly):
    list_display = ["name", "slug", "timezone", "is_active", "created_at"]
    search_fields = ["name", "slug"]


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
