"""Plans and who has them, for Super Admins; to look at. `manage.py set_plan` changes them."""

from __future__ import annotations

from django.contrib import admin
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext_lazy as _

from apps.tenants.admin import LookOnly

from .models import Plan, Subscription
from .rules import MEASURES


@admin.register(Plan)
class PlanAdmin(LookOnly):
    list_display = ["name", "key", "version", "most", "log_retention_days", "is_offered"]

    @admin.display(description=_("limits"))
    def most(self, plan: Plan) -> str:
        """Each limit in words; a resource that is not named has none."""
        found = []
        for resource, measure in MEASURES.items():
            limit = plan.limit(resource)
            amount = _("no limit") if limit is None else filesizeformat(limit) if measure.in_bytes else limit
            found.append(f"{measure.title}: {amount}")
        return " · ".join(found)


@admin.register(Subscription)
class SubscriptionAdmin(LookOnly):
    list_display = ["tenant", "plan", "trial_ends_at", "overrides", "stripe_status", "stripe_seen_at"]
    list_select_related = ["tenant", "plan"]
