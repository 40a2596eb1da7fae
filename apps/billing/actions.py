"""Who has which plan, with which limits."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import structlog
from django.db import transaction
from django.utils.translation import gettext as _

from apps.audit.actions import record, record_platform
from apps.tenants import clock
from apps.tenants.context import as_system, current_tenant
from apps.tenants.refusals import Refused

from . import payments
from .models import Limit, Plan, Subscription
from .rules import Resource

log = structlog.get_logger(__name__)
FIRST_PLAN = "business"


def plan(key: str) -> Plan:
    """The version of a plan that is offered. Raises Refused for an unknown one."""
    found = Plan.objects.filter(key=key, is_offered=True).order_by("-version").first()
    if found is None:
        raise Refused(_("There is no plan %(key)s.") % {"key": key}, field="plan")
    return found


def define_plan(key: str, limits: dict[Resource, int | None], *, log_days: int | None = None) -> Plan:
    """A new version of a plan, with these limits changed; whoever has an earlier version keeps it until their plan changes.

    Only the owner of the tables may. None is no limit, and for `log_days` that entries stay for ever.
    """
    before = plan(key)
    changed = before.limits | {resource.value: most for resource, most in limits.items()}
    made = Plan(
        key=key, version=before.version + 1, name=before.name, order=before.order, log_retention_days=log_days,
        limits={resource: most for resource, most in changed.items() if most is not None},
    )  # fmt: skip
    facts = {
        "plan": key, "version": made.version, "limits": made.limits, "limits_before": before.limits,
        "log_days": log_days, "log_days_before": before.log_retention_days,
    }  # fmt: skip
    with transaction.atomic(), transaction.atomic(using="owner"):
        made.save(using="owner", force_insert=True)
        record_platform("plan.defined", made, facts=facts)
    return made


@transaction.atomic(savepoint=False)
def start(*, key: str = FIRST_PLAN, trial_ends_at: datetime | None = None) -> Subscription:
    """Give the tenant in force its first plan."""
    made = Subscription.objects.create(plan=plan(key), trial_ends_at=trial_ends_at)
    _apply(made)
    trial = {"trial_ends_at": trial_ends_at.isoformat()} if trial_ends_at else {}
    record("plan.started", made, facts={"plan": made.plan.key, "version": made.plan.version, **trial})
    return made


@transaction.atomic(savepoint=False)
def change_plan(key: str, *, trial_ends_at: datetime | None = None) -> Subscription:
    """Another plan for the tenant in force. Less than is in use keeps what is there and refuses only more."""
    found = Subscription.objects.select_for_update(of=("self",)).select_related("plan").get()
    before, found.plan, found.trial_ends_at = found.plan.key, plan(key), trial_ends_at
    found.save()
    _apply(found)
    facts = {
        "plan": found.plan.key,
        "version": found.plan.version,
        "before": before,
        "trial_ends_at": trial_ends_at.isoformat() if trial_ends_at else None,
    }
    record("plan.changed", found, facts=facts)
    return found


@transaction.atomic(savepoint=False)
def override(resource: Resource, most: int | None) -> Subscription:
    """A limit of this tenant alone; None takes it back."""
    found = Subscription.objects.select_for_update(of=("self",)).select_related("plan").get()
    before = found.overrides.get(resource.value)
    rest = {name: value for name, value in found.overrides.items() if name != resource.value}
    found.overrides = rest if most is None else rest | {resource.value: most}
    found.save()
    _apply(found)
    record("quota.overridden", found, facts={"resource": resource.value, "most": most, "before": before})
    return found


@transaction.atomic
def follow(subscription_id: str, tenant: UUID) -> str:
    """Make the plan of a tenant what Stripe says now; an event is a hint only, so their order does not matter.

    The tenant's row is locked first and Stripe is asked after, so that of two at once the later answer stays. Returns
    what came of it. Raises Unavailable where Stripe does not answer.
    """
    with as_system(tenant):
        found = Subscription.objects.select_for_update(of=("self",)).select_related("plan").first()
        if found is None:
            return "There is no such tenant."
        said = payments.bought(subscription_id)
        if said.tenant != tenant or found.stripe_customer not in {"", said.customer}:
            log.error("stripe_mismatch", tenant=str(tenant), subscription=subscription_id)
            return "It belongs to another tenant or customer; nothing is changed."
        return _take_over(found, said.customer)


@transaction.atomic
def compare() -> str:
    """As `follow`, for the tenant in force and whatever its customer has."""
    found = Subscription.objects.select_for_update(of=("self",)).select_related("plan").first()
    return _take_over(found, found.stripe_customer) if found and found.stripe_customer else "No customer of Stripe."


def _take_over(found: Subscription, customer: str) -> str:
    """The best plan among what the customer has live for this tenant; with none left, the smallest."""
    mine = [one for one in payments.all_of(customer) if one.tenant == current_tenant()]
    live = [one for one in mine if one.is_live]
    keys = {key for one in live for price in one.prices if (key := payments.plan_key(price))}
    found.stripe_customer, found.stripe_seen_at = customer, clock.now()
    found.stripe_status = next(iter(live or mine)).status if mine else ""
    found.save(update_fields=["stripe_customer", "stripe_seen_at", "stripe_status"])
    if live and not keys:
        log.error("stripe_unknown_price", prices=sorted(price for one in live for price in one.prices))
        return "It has a price that no plan names; nothing is changed."
    offered = Plan.objects.filter(is_offered=True).order_by("order", "-version")
    best = offered.filter(key__in=keys).last() if keys else (offered.first() if mine else None)
    if best is None or (best.key == found.plan.key and found.trial_ends_at is None):
        return f"The plan stays {found.plan.key}."
    change_plan(best.key)
    return f"The plan is {best.key}."


def _apply(subscription: Subscription) -> None:
    """Write the effective limits where the triggers read them."""
    said = {one: subscription.overrides.get(one.value, subscription.plan.limit(one)) for one in Resource}
    limits = [Limit(resource=one.value, most=most) for one, most in said.items() if most is not None]
    Limit.objects.exclude(resource__in=[limit.resource for limit in limits]).delete()
    Limit.objects.bulk_create(
        limits, update_conflicts=True, unique_fields=["tenant", "resource"], update_fields=["most"]
    )
