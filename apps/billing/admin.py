"""Plans and who has them, for Super Admins; to look at. `manage.py set_plan` changes them."""

from __future__ import annotations

from django.contrib import admin

from apps.tenants.admin import LookOnly

from .models import Plan, Subscription


@admin.register(Plan)
class PlanAdmin(LookOnly):
    list_display = ["name", "key", "version", "limits", "is_offered"]


@admin.register(Subscription)
class SubscriptionAdmin(LookOnly):
    list_display = ["tenant", "plan", "trial_ends_at", "overrides", "stripe_status", "stripe_seen_at"]
    list_select_related = ["tenant", "plan"]
