"""What is used of the budget, as pages, the API and probes tell it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import Sum
from django.utils.translation import gettext as _

from apps.tenants import clock
from apps.tenants.slots import UsageReading

from . import rules
from .actions.allowance import allowance
from .actions.ledger import budget_now
from .models import Budget, Reaction, UsageEvent, Verdict
from .switches import Off, state


def dollars(micro: int) -> str:
    """`$0.0042`: two places, and up to six where there is more to say."""
    amount = Decimal(micro) / rules.MICRO
    text = f"{amount:,.6f}".rstrip("0")
    whole, _dot, rest = text.partition(".")
    return f"${whole}.{rest.ljust(2, '0')}"


def micro(amount: Decimal) -> int:
    """An amount of dollars in micro-units."""
    return int(amount * rules.MICRO)


def reading() -> UsageReading | None:
    """The budget beside the quotas; nothing where this tenant has no AI."""
    found = allowance()
    if not found.is_granted or state().off is Off.UNCONFIGURED:
        return None
    budget = budget_now()
    return UsageReading(
        used=budget.taken,
        limit=budget.limit,
        percent=budget.percent,
        text=_("%(used)s of %(limit)s") % {"used": dollars(budget.taken), "limit": dollars(budget.limit)},
        resets_at=rules.next_month(clock.now()),
        note=_("a limit of its owner") if found.cap is not None and found.cap < found.ceiling else "",
    )


def ledger_sum(budget: Budget) -> int:
    """The sum of a month's ledger, which its `spent` must equal."""
    rows: Any = UsageEvent.objects.filter(budget=budget)
    return int(rows.aggregate(total=Sum("settled"))["total"] or 0)


@dataclass(frozen=True)
class Shown:
    """One call of the ledger, with what became of what it wrote."""

    event: UsageEvent
    used: int
    dismissed: int

    @property
    def tokens(self) -> int:
        event = self.event
        return event.input_tokens + event.cache_read_tokens + event.cache_write_tokens

    @property
    def cost(self) -> str:
        return dollars(self.event.settled)

    @property
    def is_estimated(self) -> bool:
        return self.event.usage_source == "estimated"


def with_reactions(events: list[UsageEvent]) -> list[Shown]:
    """The calls, each with how many people used or dismissed what it wrote."""
    rows = Reaction.objects.filter(summary__event__in=events).values_list("summary__event", "said")
    said = Counter(rows)
    return [
        Shown(event, said[event.pk, Verdict.USED.value], said[event.pk, Verdict.DISMISSED.value]) for event in events
    ]
