"""How much of each limit is used, and what a refusal says about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings

from apps.tenants import clock
from apps.tenants.context import current_tenant
from apps.tenants.models import Tenant

from .models import Counter, Plan, Subscription
from .rules import MEASURES, Measure, Resource, period_of, resets_at


@dataclass(frozen=True)
class Meter:
    """One resource: `most` None is no limit; `source` is plan or override."""

    resource: Resource
    used: int
    most: int | None
    source: str
    resets_at: datetime | None

    @property
    def measure(self) -> Measure:
        return MEASURES[self.resource]

    @property
    def percent(self) -> int:
        """How much of the limit is used, 0 to 100 and more after a downgrade; 0 without a limit."""
        return 0 if not self.most else round(self.used * 100 / self.most)

    @property
    def level(self) -> str:
        """How near the limit is, for the colour of its bar."""
        return "bad" if self.percent >= 100 else "warn" if self.percent >= 80 else "good"


def subscription() -> Subscription | None:
    """What the tenant in force has; None for one that was made before there were plans."""
    return Subscription.objects.select_related("plan").first()


def meters(found: Subscription | None) -> list[Meter]:
    """Every resource with what is used of it now."""
    now = clock.now()
    used = {(row.resource, row.period): row.used for row in Counter.objects.all()}
    return [
        Meter(
            resource=resource,
            used=used.get((resource.value, period_of(resource, now)), 0),
            most=_most(found, resource),
            source="override" if found and resource.value in found.overrides else "plan",
            resets_at=resets_at(resource, now),
        )
        for resource in Resource
    ]


def _most(found: Subscription | None, resource: Resource) -> int | None:
    if found is None:
        return None
    most: int | None = found.overrides.get(resource.value, found.plan.limit(resource))
    return most


def explain(detail: dict[str, Any]) -> dict[str, Any]:
    """The fields of a 402: what the trigger said, with the plan and the way to more."""
    found, resource = subscription(), Resource(detail["resource"])
    ends = resets_at(resource, clock.now())
    return detail | {
        "plan": found.plan.key if found else None,
        "required_plan": required_plan(resource, detail["used"] + detail["requested"]),
        "limit_source": "override" if found and resource.value in found.overrides else "plan",
        "resets_at": ends.isoformat() if ends else None,
        "upgrade_url": upgrade_url(found),
        "retryable": False,
    }


def required_plan(resource: Resource, amount: int) -> str | None:
    """The smallest offered plan with room for so much; None where there is none."""
    for plan in Plan.objects.filter(is_offered=True).order_by("order"):
        most = plan.limit(resource)
        if most is None or most >= amount:
            return plan.key
    return None


def upgrade_url(found: Subscription | None) -> str:
    """Where an owner reads about plans."""
    tenant = Tenant.objects.get(pk=current_tenant()) if found else None
    return f"{settings.PUBLIC_URL}/t/{tenant.slug}/settings/billing/" if tenant else settings.PUBLIC_URL
