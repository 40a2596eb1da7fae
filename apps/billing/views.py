"""Settings: usage and billing."""

from __future__ import annotations

from django.http import HttpResponse

from apps.tenants.context import require
from apps.tenants.pages import PageRequest, page
from apps.tenants.slots import slots

from .models import Plan
from .rules import MEASURES, Resource
from .usage import meters, subscription


def usage(request: PageRequest, tenant: str) -> HttpResponse:
    """How much of each limit is used."""
    require("settings.read")
    found = subscription()
    others = [(meter, reading) for meter in slots.usage_meters if (reading := meter.read())]
    return page(request, "billing/usage.html", {"subscription": found, "meters": meters(found), "others": others})


def billing(request: PageRequest, tenant: str) -> HttpResponse:
    """The plan, and the others that are offered."""
    require("settings.read")
    found = subscription()
    latest: dict[str, Plan] = {}
    for plan in Plan.objects.filter(is_offered=True).order_by("order", "version"):
        latest[plan.key] = plan
    rows = [(MEASURES[resource], [plan.limit(resource) for plan in latest.values()]) for resource in Resource]
    context = {"subscription": found, "plans": list(latest.values()), "rows": rows}
    return page(request, "billing/billing.html", context)
