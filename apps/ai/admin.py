"""AI across tenants, for Super Admins; to look at. `manage.py ai_budget` changes it."""

from __future__ import annotations

from django.contrib import admin

from apps.tenants.admin import LookOnly, OfTenant

from .models import Allowance, Budget, UsageEvent


@admin.register(Allowance)
class AllowanceAdmin(LookOnly):
    list_display = ["tenant", "is_granted", "ceiling", "is_on", "cap", "changed_at"]
    list_select_related = ["tenant"]


@admin.register(Budget)
class BudgetAdmin(LookOnly):
    list_display = ["tenant", "month", "limit", "spent", "held", "percent"]
    list_select_related = ["tenant"]


@admin.register(UsageEvent)
class UsageEventAdmin(LookOnly):
    list_display = ["at", "tenant", "feature", "requested_model", "outcome", "usage_source", "reserved", "settled"]
    list_filter = [OfTenant, "outcome", "usage_source"]
    list_select_related = ["tenant"]
    ordering = ["-at", "-id"]
    show_full_result_count = False
