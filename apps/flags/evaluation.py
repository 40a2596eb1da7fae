"""Answers from memory: each process keeps the flags and a tenant's overrides until it hears of a change.

The database tells every process at COMMIT; whoever is deaf at that moment reads again after FRESH_SECONDS at the latest.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from uuid import UUID

from django.core.exceptions import ObjectDoesNotExist

from apps.tenants.context import current_tenant

from .listening import Listener
from .models import Flag, FlagOverride
from .rules import Evaluation, Rule, decide

FRESH_SECONDS = 5.0
MOST_TENANTS = 2000


@dataclass(frozen=True)
class _Known:
    """What is kept of one tenant: its id as text, the rules and its own `overrides` by flag key."""

    unit: str
    rules: dict[str, Rule]
    overrides: dict[str, bool]
    read_at: float


_known: dict[UUID, _Known] = {}
_changes = 0


def evaluate(key: str) -> Evaluation:
    """The flag for the tenant in force. Raises ObjectDoesNotExist for a key that nobody has made."""
    tenant = current_tenant()
    known = _fresh(tenant)
    rule = known.rules.get(key)
    if rule is None:
        raise ObjectDoesNotExist(f"There is no flag {key}.")
    return decide(rule, known.unit, known.overrides.get(key))


def evaluate_all() -> list[Evaluation]:
    """Every flag for the tenant in force, by key."""
    tenant = current_tenant()
    known = _fresh(tenant)
    return [decide(rule, known.unit, known.overrides.get(key)) for key, rule in sorted(known.rules.items())]


def is_enabled(key: str) -> bool:
    """Whether a feature is on for the tenant in force; one whose flag nobody has made is off."""
    try:
        return evaluate(key).value
    except ObjectDoesNotExist:
        return False


def forget() -> None:
    """Read again at the next question."""
    global _changes
    _changes += 1
    _known.clear()


listener = Listener(forget)


def _fresh(tenant: UUID) -> _Known:
    found = _known.get(tenant)
    if found is not None and time.monotonic() - found.read_at < FRESH_SECONDS:
        return found
    listener.start()
    if len(_known) >= MOST_TENANTS:
        _known.clear()
    before = _changes
    rules = {flag.key: flag.rule for flag in Flag.objects.all()}
    rows = FlagOverride.objects.select_related("flag").values_list("flag__key", "is_on")
    read = _Known(str(tenant), rules, dict(rows), time.monotonic())
    if before == _changes:  # else it may be older than what was told meanwhile
        _known[tenant] = read
    return read
