"""Who would change sides, before anything is saved."""

from __future__ import annotations

from dataclasses import dataclass, replace

from apps.tenants.context import TenantContext, tenant_context
from apps.tenants.models import PLATFORM_TENANT_ID, Tenant

from .models import Flag, FlagOverride
from .rules import decide


@dataclass(frozen=True)
class Flips:
    """Addresses of the tenants that a threshold would switch on and off, and how many stay as they are."""

    on: tuple[str, ...]
    off: tuple[str, ...]
    same: int


def flips(flag: Flag, threshold: int) -> Flips:
    """What another threshold would do, tenant by tenant, by the rule that answers. Overrides and a kill stand above."""
    now, then = flag.rule, replace(flag.rule, threshold=threshold)
    on: list[str] = []
    off: list[str] = []
    same = 0
    with tenant_context(TenantContext(platform=True, credential="system")):
        overrides = dict(FlagOverride.objects.filter(flag=flag).values_list("tenant_id", "is_on"))
        tenants = Tenant.objects.filter(is_active=True).exclude(pk=PLATFORM_TENANT_ID).order_by("slug")
        for pk, slug in tenants.values_list("pk", "slug"):
            before, after = (decide(rule, str(pk), overrides.get(pk)).value for rule in (now, then))
            same += before == after
            if before != after:
                (on if after else off).append(slug)
    return Flips(tuple(on), tuple(off), same)
