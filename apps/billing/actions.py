"""Who has which plan, with which limits."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from apps.audit.actions import record
from apps.tenants.refusals import Refused

from .models import Limit, Plan, Subscription
from .rules import Resource

FIRST_PLAN = "business"


def plan(key: str) -> Plan:
    """The version of a plan that is offered. Raises Refused for an unknown one."""
    found = Plan.objects.filter(key=key, is_offered=True).order_by("-version").first()
    if found is None:
        raise Refused(_("There is no plan %(key)s.") % {"key": key}, field="plan")
    return found


@transaction.atomic(savepoint=False)
def start(*, key: str = FIRST_PLAN, trial_ends_at: datetime | None = None) -> Subscription:
    """Give the tenant in force its first plan."""
    made = Subscription.objects.create(plan=plan(key), trial_ends_at=trial_ends_at)
    _apply(made)
    record("plan.started", made, facts={"plan": made.plan.key, "version": made.plan.version})
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


def _apply(subscription: Subscription) -> None:
    """Write the effective limits where the triggers read them."""
    for resource in Resource:
        most = subscription.overrides.get(resource.value, subscription.plan.limit(resource))
        if most is None:
            Limit.objects.filter(resource=resource.value).delete()
        else:
            Limit.objects.update_or_create(resource=resource.value, defaults={"most": most})
