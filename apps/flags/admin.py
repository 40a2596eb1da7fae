"""Flags for Super Admins; to look at. `manage.py flag` changes them."""

from __future__ import annotations

from django.contrib import admin

from apps.tenants.admin import LookOnly

from .models import Flag, FlagOverride


@admin.register(Flag)
class FlagAdmin(LookOnly):
    list_display = ["key", "description", "percent", "is_killed", "algo", "salt", "version", "changed_at"]


@admin.register(FlagOverride)
class FlagOverrideAdmin(LookOnly):
    list_display = ["flag", "tenant", "is_on", "set_at"]
    list_select_related = ["flag", "tenant"]
