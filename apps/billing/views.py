"""Settings: usage and billing."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_safe

from apps.tenants.context import current_tenant, require
from apps.tenants.freshness import require_fresh
from apps.tenants.pages import PageRequest, page, turl
from apps.tenants.refusals import NotFound
from apps.tenants.slots import slots

from . import payments
from .models import Plan
from .rules import MEASURES, Measure, Resource
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
    pays = payments.is_configured()
    context = {
        "subscription": found,
        "pays": pays,
        "is_customer": bool(pays and found and found.stripe_customer),
        "offers": [(plan, _limits(plan), key in settings.STRIPE_PRICES) for key, plan in latest.items()],
        "may_write": request.context.allows("settings.write"),
        "has_paid": request.GET.get("paid") == "1",
    }
    return page(request, "billing/billing.html", context)


def _limits(plan: Plan) -> list[tuple[Measure, int | None]]:
    return [(MEASURES[resource], plan.limit(resource)) for resource in Resource]


@require_safe
def buy(request: PageRequest, tenant: str, key: str) -> HttpResponse:
    """Lead to Stripe to buy a plan. A link and no form: the policy lets no form lead to another site."""
    require("settings.write")
    require_fresh("billing.change")
    found = subscription()
    if found is not None and found.stripe_status in payments.LIVE:
        return redirect(turl(request, "billing:portal"))
    customer = found.stripe_customer if found else ""
    url = payments.checkout_url(
        tenant=current_tenant(), key=key, customer=customer, email=request.member.email, back=_back(request)
    )
    return redirect(url)


@require_safe
def portal(request: PageRequest, tenant: str) -> HttpResponse:
    """Lead to Stripe to change or end what was bought."""
    require("settings.write")
    require_fresh("billing.change")
    found = subscription()
    if found is None or not found.stripe_customer:
        raise NotFound()
    return redirect(payments.portal_url(customer=found.stripe_customer, back=_back(request)))


def _back(request: PageRequest) -> str:
    return f"{settings.PUBLIC_URL}{turl(request, 'billing:billing')}"
