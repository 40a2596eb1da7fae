"""Paths as JSON, quorums and business days: pure rules."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.approvals.rules.deadlines import due_after
from apps.approvals.rules.definition import Quorum, QuorumKind, read_path
from apps.approvals.rules.quorum import Outcome, is_possible, needed, outcome
from apps.tenants.refusals import Invalid

TEAM = {"type": "team", "id": "0190c0de-0000-7000-8000-000000000001"}
STEP = {"key": "a", "name": "A", "approvers": [TEAM], "quorum": {"kind": "any"}}


def without(key):
    return {name: value for name, value in STEP.items() if name != key}


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ([], "path"),
        ({}, "path.steps"),
        ({"steps": []}, "path.steps"),
        ({"steps": [STEP] * 31}, "path.steps"),
        ({"steps": ["a"]}, "path.steps.0"),
        ({"steps": [STEP], "retry": 3}, "path.retry"),
        ({"steps": [without("approvers")]}, "path.steps.0.approvers"),
        ({"steps": [STEP | {"approvers": []}]}, "path.steps.0.approvers"),
        ({"steps": [STEP | {"approvers": [{"type": "team", "id": "x"}]}]}, "path.steps.0.approvers.0.id"),
        ({"steps": [STEP | {"approvers": [{"type": "role", "id": "viewer"}]}]}, "path.steps.0.approvers.0.id"),
        ({"steps": [STEP | {"approvers": [{"type": "robot", "id": "x"}]}]}, "path.steps.0.approvers.0.type"),
        ({"steps": [STEP | {"quorum": {"kind": "percent", "n": 50}}]}, "path.steps.0.quorum.kind"),
        ({"steps": [STEP | {"quorum": {"kind": "count", "n": 0}}]}, "path.steps.0.quorum.n"),
        ({"steps": [STEP | {"quorum": {"kind": "any", "n": 2}}]}, "path.steps.0.quorum.n"),
        ({"steps": [STEP | {"when": "data.x >"}]}, "path.steps.0.when"),
        ({"steps": [STEP | {"due": {"hours": 3}}]}, "path.steps.0.due.hours"),
        ({"steps": [STEP | {"due": {"business_days": True}}]}, "path.steps.0.due.business_days"),
        ({"steps": [STEP | {"on_timeout": "escalate"}]}, "path.steps.0.on_timeout"),
        ({"steps": [STEP | {"key": "Ä"}]}, "path.steps.0.key"),
        ({"steps": [STEP, STEP]}, "path.steps.1.key"),
        (
            {"steps": [STEP | {"group": "g"}, STEP | {"key": "b"}, STEP | {"key": "c", "group": "g"}]},
            "path.steps.2.group",
        ),
    ],
)
def test_what_a_path_does_not_support_is_refused_by_its_place(path, place):
    with pytest.raises(Invalid) as refused:
        read_path(path)
    assert place in refused.value.errors


def test_every_fault_is_named_at_once():
    with pytest.raises(Invalid) as refused:
        read_path({"steps": [without("name"), without("quorum") | {"key": "b", "when": "("}]})
    assert set(refused.value.errors) == {"path.steps.0.name", "path.steps.1.quorum", "path.steps.1.when"}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([*STEP, "steps", "n", "kind", "x"]), inner),
        max_leaves=12,
    )
)
def test_whatever_is_sent_as_a_path_is_read_or_refused(value):
    for path in (value, {"steps": value}, {"steps": [value]}, {"steps": [STEP | {"quorum": value}]}):
        places = {"path"}
        try:
            read_path(path)
        except Invalid as refused:
            places = set(refused.errors)
        assert all(place.startswith("path") for place in places)


QUORUMS = st.one_of(
    st.just(Quorum(QuorumKind.ANY)),
    st.just(Quorum(QuorumKind.ALL)),
    st.integers(1, 8).map(lambda n: Quorum(QuorumKind.COUNT, n)),
)


@given(QUORUMS, st.integers(0, 8), st.data())
def test_a_quorum_is_met_exactly_when_enough_approved_and_nobody_rejected(quorum, asked, data):
    if not is_possible(quorum, asked):
        assert asked == 0 or (quorum.kind is QuorumKind.COUNT and quorum.n > asked)
        return
    rejections = data.draw(st.integers(0, asked))
    approvals = data.draw(st.integers(0, asked - rejections))
    found = outcome(quorum, asked, approvals=approvals, rejections=rejections)
    enough = {
        QuorumKind.ANY: approvals >= 1,
        QuorumKind.ALL: approvals == asked,
        QuorumKind.COUNT: approvals >= quorum.n,
    }
    assert 1 <= needed(quorum, asked) <= asked
    assert (found is Outcome.REJECTED) == bool(rejections)
    assert (found is Outcome.APPROVED) == (not rejections and enough[quorum.kind])


@pytest.mark.parametrize(
    ("start", "days", "due"),
    [
        ("2026-11-23T09:00+01:00", 1, "2026-11-24T17:00+01:00"),
        ("2026-11-27T18:30+01:00", 1, "2026-11-30T17:00+01:00"),
        ("2026-11-28T12:00+01:00", 2, "2026-12-01T17:00+01:00"),
        ("2026-03-27T12:00+01:00", 1, "2026-03-30T17:00+02:00"),
        ("2026-11-23T23:30+00:00", 1, "2026-11-25T17:00+01:00"),
    ],
)
def test_a_business_day_ends_at_five_in_the_tenants_zone(start, days, due):
    found = due_after(datetime.fromisoformat(start), days, ZoneInfo("Europe/Berlin"))
    assert found == datetime.fromisoformat(due)


@given(st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)), st.integers(1, 60))
def test_so_many_working_days_lie_between(start, days):
    zone = ZoneInfo("America/New_York")
    due = due_after(start.replace(tzinfo=UTC), days, zone).astimezone(zone)
    first = start.replace(tzinfo=UTC).astimezone(zone).date()
    between: list[date] = [first + timedelta(n) for n in range(1, (due.date() - first).days + 1)]
    assert sum(day.weekday() < 5 for day in between) == days
    assert due.weekday() < 5
