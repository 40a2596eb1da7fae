"""People across tenants, for Super Admins; to look at."""

from __future__ import annotations

from django.contrib import admin

from apps.tenants.admin import LookOnly

from .models import Member, User


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
