"""Where a case stands, as plain values that a page or the API can draw."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from django.utils.translation import gettext as _

from .models import Case, CaseStep, Decision, StepState

UPCOMING = "upcoming"


@dataclass(frozen=True)
class Said:
    """One decision."""

    who: str
    verdict: str
    word: str
    reason: str
    at: datetime


@dataclass(frozen=True)
class Stop:
    """One step of the route; `state` is a StepState's value, or "upcoming" while nobody knows yet."""

    key: str
    name: str
    group: str
    state: str
    label: str
    quorum: str
    asked: tuple[str, ...] = ()
    due_at: datetime | None = None
    opened_at: datetime | None = None
    reason: str = ""
    said: tuple[Said, ...] = field(default=())


def route_of(case: Case) -> list[Stop]:
    """Every step of the path in order: what has happened in this round, and what may come."""
    rows = CaseStep.objects.filter(case=case, round=case.round)
    made = {
        row.key: row
        for row in rows.prefetch_related(
            "decisions__person__user", "decisions__on_behalf_of__user", "assignments__person__user"
        )
    }
    return [
        _stop(made[step.key])
        if step.key in made
        else Stop(step.key, step.name, step.group, UPCOMING, "", quorum_words(step.quorum.kind.value, step.quorum.n, 0))
        for step in case.path_version.steps
    ]


def earlier_rounds(case: Case) -> list[Stop]:
    """Steps of rounds before a correction that somebody decided on."""
    rows = CaseStep.objects.filter(case=case, round__lt=case.round, decisions__isnull=False).distinct()
    rows = rows.prefetch_related(
        "decisions__person__user", "decisions__on_behalf_of__user", "assignments__person__user"
    )
    return [_stop(row) for row in rows.order_by("round", "order")]


def _stop(row: CaseStep) -> Stop:
    decisions = sorted(row.decisions.all(), key=lambda decision: decision.decided_at)
    return Stop(
        key=row.key,
        name=row.name,
        group=row.group,
        state=row.state,
        label=str(StepState(row.state).label),
        quorum=quorum_words(row.quorum["kind"], row.quorum["n"], row.eligible_count),
        asked=tuple(assignment.person.name for assignment in row.assignments.all()),
        due_at=row.due_at,
        opened_at=row.opened_at,
        reason=row.reason,
        said=tuple(_said(decision) for decision in decisions),
    )


def _said(row: Decision) -> Said:
    words = {"approve": _("approved"), "reject": _("rejected"), "send_back": _("sent back")}
    return Said(row.who, row.verdict, words[row.verdict], row.reason, row.decided_at)


def quorum_words(kind: str, n: int, eligible: int) -> str:
    """How many must approve, in words; `eligible` is 0 while nobody was asked."""
    if not eligible:
        return {"any": _("any one"), "all": _("all"), "count": _("at least %(n)s") % {"n": n}}[kind]
    words = {"any": _("any one of %(of)s"), "all": _("all of %(of)s"), "count": _("%(n)s of %(of)s")}[kind]
    return words % {"n": n, "of": eligible}
