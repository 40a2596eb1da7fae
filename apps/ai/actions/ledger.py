"""Reserve before a call, settle after it. A call nobody came back from is settled in full when its time is over.

Money moves only by conditional updates, so threads and crashes cannot take more than the limit: `spent` is always the
sum of the ledger's entries, and nothing is held where spent and held together would pass the limit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from apps.accounts.models import Member
from apps.accounts.rules import Role
from apps.audit.actions import Target, record
from apps.billing.usage import subscription
from apps.comms.actions import queue_mail
from apps.forms.models import Submission
from apps.tenants import clock
from apps.tenants.context import current, current_tenant
from apps.tenants.models import Tenant
from apps.tenants.refusals import PaymentRequired

from .. import rules
from ..models import Allowance, Budget, Reservation, ReservationState, UsageEvent, UsageSource

# Longer than any call may take (gateway.py), so that what expires is what nobody comes back from.
HOLD_SECONDS = 60
ANSWERED = "answered"


@dataclass(frozen=True)
class Charge:
    """What an attempt is about, as its ledger entry keeps it. Ids, names of ours and hashes; never a prompt."""

    feature: str
    object_type: str
    object_id: str
    actor_id: str | None
    host: str
    requested_model: str
    attempt: int
    price_version: str
    template_version: str
    prompt_sha256: str
    redactions: dict[str, int] = field(default_factory=dict)


class BudgetSpent(PaymentRequired):
    """The AI budget does not cover this call; it starts again with the next month."""

    def __init__(self, budget: Budget, requested: int, charge: Charge) -> None:
        self.charge, self.requested = charge, requested
        found = subscription()
        super().__init__(
            _("The AI budget of this month does not cover this."),
            code="ai_budget_spent",
            resource="ai_budget",
            limit=budget.limit,
            used=budget.taken,
            requested=requested,
            plan=found.plan.key if found else None,
            required_plan=None,
            limit_source="ai_budget",
            resets_at=rules.next_month(clock.now()).isoformat(),
            upgrade_url=_page(),
            retryable=False,
        )


def budget_now() -> Budget:
    """This month's budget of the tenant in force, as it is or would be made."""
    month = rules.month_of(clock.now())
    found = Allowance.objects.first()
    return Budget.objects.filter(month=month).first() or Budget(month=month, limit=found.limit if found else 0)


def would_fit(charge: Charge, amount: int) -> None:
    """Raise BudgetSpent for what could not be reserved now; holds nothing."""
    found = budget_now()
    if found.taken + amount > found.limit:
        raise BudgetSpent(found, amount, charge)


def reserve(charge: Charge, amount: int) -> Reservation:
    """Hold the most that a call can cost, committed before the call is made. Raises BudgetSpent, having recorded it."""
    try:
        return _hold(charge, amount)
    except BudgetSpent as spent:
        note_refusal(spent)
        raise


@transaction.atomic
def note_refusal(spent: BudgetSpent) -> None:
    """Record the call that was not made because the budget did not cover it."""
    facts = _told(asdict(spent.charge)) | {"requested": spent.requested, "result": "budget"}
    record("ai.called", _subject(asdict(spent.charge)), facts=facts, outcome="refused")


@transaction.atomic(durable=True)
def _hold(charge: Charge, amount: int) -> Reservation:
    now = clock.now()
    month = rules.month_of(now)
    rows: Any = Budget.objects
    _open(month)
    taken = rows.filter(month=month, limit__gte=F("spent") + F("held") + amount).update(held=F("held") + amount)
    found = rows.get(month=month)
    if not taken:
        raise BudgetSpent(found, amount, charge)
    made = Reservation.objects.create(
        budget=found,
        amount=amount,
        about=asdict(charge) | {"request_id": current().request_id},
        made_at=now,
        expires_at=now + timedelta(seconds=HOLD_SECONDS),
    )
    _alert(found)
    return made


@transaction.atomic(durable=True)
def settle(reservation: Reservation, amount: int, outcome: str, facts: Mapping[str, Any]) -> UsageEvent:
    """Move what was held to what was spent, and write the ledger's entry; `facts` are columns of UsageEvent.

    More than was held is charged as far as the limit has room; what it has no room for stands as `excess`. Where the
    hold has expired meanwhile, it was charged in full already, and this entry adds what came with a charge of 0.
    """
    if not _take(reservation, ReservationState.SETTLED):
        return _event(reservation, 0, outcome, {**facts, "reserved": 0})
    budget = Budget.objects.select_for_update().get(pk=reservation.budget_id)
    room = max(budget.limit - budget.taken, 0)
    charged = min(amount, reservation.amount + room)
    return _book(reservation, budget, charged, outcome, {**facts, "excess": amount - charged})


def expire_due() -> int:
    """Settle in full every hold of the tenant in force whose time is over, flagged as estimated; returns how many."""
    due = Reservation.objects.filter(state=ReservationState.HELD, expires_at__lte=clock.now())
    return sum(_expire(found) for found in due[:200])


@transaction.atomic
def _expire(reservation: Reservation) -> bool:
    if not _take(reservation, ReservationState.EXPIRED):
        return False
    budget = Budget.objects.select_for_update().get(pk=reservation.budget_id)
    _book(reservation, budget, reservation.amount, "expired", {"usage_source": UsageSource.ESTIMATED})
    return True


def _take(reservation: Reservation, state: ReservationState) -> bool:
    """Whether this call is the one that ends the hold; of two, one is."""
    rows: Any = Reservation.objects.filter(pk=reservation.pk, state=ReservationState.HELD)
    return bool(rows.update(state=state))


def _book(reservation: Reservation, budget: Budget, charged: int, outcome: str, facts: Mapping[str, Any]) -> UsageEvent:
    budget.held -= reservation.amount
    budget.spent += charged
    budget.save(update_fields=["held", "spent"])
    event = _event(reservation, charged, outcome, {"reserved": reservation.amount, **facts})
    _alert(budget)
    return event


def _event(reservation: Reservation, settled: int, outcome: str, facts: Mapping[str, Any]) -> UsageEvent:
    """The ledger's entry and the log's, in one transaction."""
    about = dict(reservation.about)
    about["object_id"] = UUID(about["object_id"])
    made = UsageEvent.objects.create(
        budget_id=reservation.budget_id,
        reservation=reservation,
        settled=settled,
        outcome=outcome,
        at=clock.now(),
        **{**about, **facts},
    )
    told = {
        "result": outcome,
        "usage_source": str(made.usage_source),
        "input_tokens": made.input_tokens,
        "cache_read_tokens": made.cache_read_tokens,
        "cache_write_tokens": made.cache_write_tokens,
        "output_tokens": made.output_tokens,
        "reserved": made.reserved,
        "settled": settled,
        "excess": made.excess,
    }
    ended = "done" if outcome == ANSWERED else "failed"
    record("ai.called", _subject(about), made, facts=_told(about) | told, outcome=ended)
    return made


def _subject(about: Mapping[str, Any]) -> Submission | Target:
    """What the attempt was about; a submission by the reference that people know it by."""
    kind, pk = about["object_type"], UUID(str(about["object_id"]))
    found = Submission.objects.filter(pk=pk).first() if kind == Submission.audit_type else None
    return found or Target(kind, pk)


def _told(about: Mapping[str, Any]) -> dict[str, Any]:
    """What the log says of an attempt: names of ours, ids, numbers and hashes."""
    names = ("feature", "requested_model", "attempt", "price_version", "template_version", "prompt_sha256")
    return {name: about[name] for name in names} | {"for": about["actor_id"]}


def _open(month: str) -> None:
    """The month's row, made by whoever comes first; the allowance is locked, so that no change of it slips between."""
    if not Budget.objects.filter(month=month).exists():
        found = Allowance.objects.select_for_update().first()
        row = Budget(month=month, limit=found.limit if found else 0)
        Budget.objects.bulk_create([row], ignore_conflicts=True)


def _page() -> str:
    tenant = Tenant.objects.get(pk=current_tenant())
    return f"{settings.PUBLIC_URL}/t/{tenant.slug}/settings/ai/"


def _alert(budget: Budget) -> None:
    """Tell the owners once a month of each share that is reached; of several at once, of the highest."""
    level = rules.alert_reached(budget.percent)
    rows: Any = Budget.objects.filter(pk=budget.pk, alerted__lt=level)
    if not level or not rows.update(alerted=level):
        return
    record("ai.budget_reached", budget, facts={"percent": level, "month": budget.month, "limit": budget.limit})
    for owner in Member.objects.active().filter(role=Role.OWNER).select_related("user"):
        queue_mail(
            to=owner.user.email,
            template="ai/mail/budget_reached",
            context={
                "name": owner.name,
                "percent": level,
                "month": budget.month,
                "link": _page(),
            },
            dedupe=f"ai-budget:{budget.pk}:{level}:{owner.pk}",
            user_id=owner.user_id,
        )
