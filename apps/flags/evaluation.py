"""Answers from memory: each process keeps the flags and a tenant's overrides for a few seconds.

So a kill is in force everywhere within FRESH_SECONDS, and at once in the process that made it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from uuid import UUID

from django.core.exceptions import ObjectDoesNotExist

from apps.tenants.context import current_tenant

from .models import Flag, FlagOverride
from .rules import Evaluation, Rule, decide

FRESH_SECONDS = 5.0
MOST_TENANTS = 2000


@dataclass(frozen=True)
class _Known:
    """What is kept of one tenant; `overrides` by flag key."""

    rules: dict[str, Rule]
    overrides: dict[str, bool]
    read_at: float


_known: dict[UUID, _Known] = {}


def evaluate(key: str) -> Evaluation:
    """The flag for the tenant in force. Raises ObjectDoesNotExist for a key that nobody has made."""
    tenant = current_tenant()
    known = _fresh(tenant)
    rule = known.rules.get(key)
    if rule is None:
        raise ObjectDoesNotExist(f"There is no flag {key}.")
    return decide(rule, str(tenant), known.overrides.get(key))


def evaluate_all() -> list[Evaluation]:
    """Every flag for the tenant in force, by key."""
    tenant = current_tenant()
    known = _fresh(tenant)
    return [decide(rule, str(tenant), known.overrides.get(key)) for key, rule in sorted(known.rules.items())]


def is_enabled(key: str) -> bool:
    """Whether a feature is on for the tenant in force; one whose flag nobody has made is off."""
    try:
        return evaluate(key).value
    except ObjectDoesNotExist:
        return False


def forget() -> None:
    """Read again at the next question; other processes do within FRESH_SECONDS."""
    _known.clear()


def _fresh(tenant: UUID) -> _Known:
    found = _known.get(tenant)
    if found is not None and time.monotonic() - found.read_at < FRESH_SECONDS:
        return found
    if len(_known) >= MOST_TENANTS:
        _known.clear()
    rules = {flag.key: flag.rule for flag in Flag.objects.all()}
    rows = FlagOverride.objects.select_related("flag").values_list("flag__key", "is_on")
    _known[tenant] = _Known(rules, dict(rows), time.monotonic())
    return _known[tenant]
