"""Who has AI, and for how much: the operator grants, an owner switches on and may cap it lower."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from apps.accounts.models import Member
from apps.audit.actions import record, record_platform
from apps.flags import actions as flags
from apps.flags.models import Flag
from apps.flags.rules import BUCKETS
from apps.tenants import clock
from apps.tenants.refusals import Invalid, Refused

from ..models import Allowance, Budget
from ..rules import month_of
from ..switches import provider_flag


def allowance() -> Allowance:
    """What the tenant in force has; not granted and off where nobody said anything yet."""
    return Allowance.objects.first() or Allowance()


@transaction.atomic
def grant(*, ceiling: int | None, is_granted: bool = True) -> Allowance:
    """The operator gives the tenant in force so much a month, or takes AI away; None leaves the ceiling as it is."""
    if ceiling is not None and ceiling < 0:
        raise Invalid({"ceiling": [_("A budget is 0 or more.")]})
    found = _locked()
    before = {"granted": found.is_granted, "ceiling": found.ceiling}
    found.is_granted = is_granted
    found.ceiling = found.ceiling if ceiling is None else ceiling
    _save(found)
    record("ai.granted", found, facts={"before": before, "after": {"granted": is_granted, "ceiling": found.ceiling}})
    return found


@transaction.atomic
def switch(*, is_on: bool, by: Member) -> Allowance:
    """An owner lets answers go to the model, or stops it. Raises Refused where AI is not granted."""
    found = _locked()
    if is_on and not found.is_granted:
        raise Refused(_("Whoever runs this installation has not given this tenant AI."), field="is_on")
    before, found.is_on = found.is_on, is_on
    _save(found)
    record("ai.switched", found, facts={"before": before, "after": is_on})
    return found


@transaction.atomic
def cap(most: int | None, *, by: Member) -> Allowance:
    """The owner's own limit below the ceiling; None takes it back, 0 stops all spending."""
    if most is not None and most < 0:
        raise Invalid({"cap": [_("A budget is 0 or more.")]})
    found = _locked()
    before, found.cap = found.cap, most
    _save(found)
    record("ai.switched", found, facts={"cap_before": before, "cap": most})
    return found


def switch_provider(host: str, *, is_on: bool) -> Flag:
    """Kill, or revive, everything that goes to one host, for all tenants; in force like any flag's kill."""
    key = provider_flag(host)
    if not Flag.objects.filter(key=key).exists():
        flags.create_flag(key=key, description=str(_("Calls to the model provider at this host")))
        flags.change_flag(key, threshold=BUCKETS)
    flag = flags.change_flag(key, is_killed=not is_on)
    record_platform("ai.provider_switched", flag, facts={"host": host, "on": is_on})
    return flag


def _locked() -> Allowance:
    found = Allowance.objects.select_for_update().first()
    return found or Allowance.objects.create()


def _save(found: Allowance) -> None:
    """Keep it, and let the running month follow: less than is taken refuses only more."""
    found.changed_at = clock.now()
    found.save()
    rows: Any = Budget.objects.filter(month=month_of(clock.now()))
    rows.update(limit=found.limit)
