"""The AI budget holds whatever happens: many at once, and processes that are killed between reserving and settling."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path
from subprocess import PIPE
from typing import Any
from uuid import uuid4

import pytest
from django.db import DatabaseError, connection, connections

from apps.ai.actions import BudgetSpent, Charge, cap, expire_due, grant, reserve, settle
from apps.ai.actions.ledger import HOLD_SECONDS, budget_now
from apps.ai.models import Budget, Reservation, UsageEvent
from apps.ai.panels import expire_everywhere
from apps.ai.probes import budget as probe
from apps.ai.usage import ledger_sum
from apps.audit.models import Entry
from apps.comms.models import OutboxMessage
from apps.tenants import clock
from apps.tenants.context import as_system
from tests import database
from tests.cast import acting_as

PROJECT = Path(__file__).resolve().parents[2]
USED = {"usage_source": "provider"}


def charge(**changes: Any) -> Charge:
    about: dict[str, Any] = {
        "feature": "ai.summary", "object_type": "submission", "object_id": str(uuid4()), "actor_id": None,
        "host": "models.example", "requested_model": "m", "attempt": 1, "price_version": "own 1/2",
        "template_version": "summary-1", "prompt_sha256": "0" * 64,
    }  # fmt: skip
    return Charge(**(about | changes))


def allow(company, ceiling):
    with as_system(company.id):
        grant(ceiling=ceiling)


def whole() -> Budget:
    """The month's budget, after holding it against its ledger and its holds."""
    found = budget_now()
    assert ledger_sum(found) == found.spent
    held = Reservation.objects.filter(budget=found, state="held")
    assert sum(held.values_list("amount", flat=True)) == found.held
    assert found.taken <= found.limit
    assert Entry.objects.filter(action="ai.called").exclude(outcome="refused").count() == UsageEvent.objects.count()
    assert probe().holds
    return found


@pytest.fixture
def later(monkeypatch):
    """`later()`: every hold's time is over."""

    def pass_time() -> None:
        now = clock.now()
        monkeypatch.setattr(clock, "now", lambda: now + timedelta(seconds=HOLD_SECONDS + 1))

    return pass_time


def test_settling_moves_what_was_held_to_what_was_spent(acme):
    allow(acme, 1000)
    with as_system(acme.id):
        held = reserve(charge(), 300)
        assert (whole().held, whole().spent) == (300, 0)
        settle(held, 120, "answered", USED)
        assert (whole().held, whole().spent) == (0, 120)


def test_without_a_grant_the_limit_is_zero_and_zero_is_no_money(acme):
    with as_system(acme.id), pytest.raises(BudgetSpent):
        reserve(charge(), 1)
    with as_system(acme.id):
        settle(reserve(charge(), 0), 0, "answered", USED)
        assert whole().spent == 0


def test_an_owners_cap_of_zero_stops_what_costs_and_its_end_lets_it_go_on(acme):
    allow(acme, 1000)
    with acting_as(acme.owner):
        cap(0, by=acme.owner)
        with pytest.raises(BudgetSpent):
            reserve(charge(), 1)
        cap(None, by=acme.owner)
        reserve(charge(), 1)


def test_many_threads_take_exactly_what_there_is(acme):
    allow(acme, 1000)
    taken, refused, start = [], [], threading.Barrier(8)

    def work() -> None:
        start.wait()
        with as_system(acme.id):
            for turn in range(20):
                try:
                    held = reserve(charge(), 30)
                except BudgetSpent:
                    refused.append(1)
                    continue
                taken.append(1)
                settle(held, 30 if turn % 2 else 10, "answered", USED)
        connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with as_system(acme.id):
        found = whole()
        assert UsageEvent.objects.count() == len(taken)
        assert found.held == 0
        assert found.spent > 1000 - 30  # what is left would not have covered one more
    assert refused


def test_killed_processes_leave_a_ledger_that_adds_up_and_a_limit_that_held(acme, later):
    allow(acme, 2000)
    environment = os.environ | database.urls(str(connections["default"].settings_dict["NAME"]))
    command = [sys.executable, "-m", "tests.faults.ai_spender", str(acme.id), "100"]
    kills = 0
    with subprocess.Popen(command, cwd=PROJECT, env=environment, text=True, stdin=PIPE, stdout=PIPE) as spenders:
        for dies_at in (1, 3, 2, 9, 4, 1):
            spenders.stdin.write(f"{dies_at}\n")
            spenders.stdin.flush()
            codes = json.loads(spenders.stdout.readline())
            kills += codes.count(-signal.SIGKILL)
            assert set(codes) <= {-signal.SIGKILL, 3}
            with as_system(acme.id):
                whole()
    assert kills >= 6
    with as_system(acme.id):
        assert whole().held == kills * 100
        later()
        assert expire_due() == kills
        found = whole()
        assert found.held == 0
        lost = UsageEvent.objects.filter(usage_source="estimated")
        assert {(event.settled, event.outcome) for event in lost} == {(100, "expired")}
        assert lost.count() == kills
        assert found.spent > 1900


def test_the_worker_settles_what_nobody_came_back_for_in_every_tenant(acme, globex, later, monkeypatch):
    monkeypatch.setattr("apps.ai.panels._expired_at", -1e9)
    for company in (acme, globex):
        allow(company, 100)
        with as_system(company.id):
            reserve(charge(), 60)
    later()
    expire_everywhere()
    for company in (acme, globex):
        with as_system(company.id):
            assert (whole().spent, whole().held) == (60, 0)


def test_an_answer_that_comes_after_its_hold_expired_is_not_charged_twice(acme, later):
    allow(acme, 100)
    with as_system(acme.id):
        held = reserve(charge(), 60)
        later()
        assert expire_due() == 1
        assert settle(held, 20, "answered", USED).settled == 0
        assert expire_due() == 0
        assert whole().spent == 60


def test_of_two_that_settle_the_same_hold_one_is_charged(acme):
    allow(acme, 100)
    with as_system(acme.id):
        held = reserve(charge(), 60)
        assert [settle(held, 20, "answered", USED).settled for _ in range(2)] == [20, 0]
        assert whole().spent == 20


def test_more_than_was_held_is_charged_as_far_as_there_is_room_and_the_rest_is_named(acme):
    allow(acme, 100)
    with as_system(acme.id):
        first = settle(reserve(charge(), 40), 70, "answered", USED)
        assert (first.settled, first.excess) == (70, 0)
        second = settle(reserve(charge(), 20), 5000, "answered", USED)
        assert (second.settled, second.excess) == (30, 4970)
        assert whole().spent == 100


def test_a_lower_limit_refuses_only_more(acme):
    allow(acme, 100)
    with as_system(acme.id):
        settle(reserve(charge(), 80), 80, "answered", USED)
        grant(ceiling=50)
        with pytest.raises(BudgetSpent):
            reserve(charge(), 1)
        assert probe().holds
        assert "lowered" in str(probe().detail)


def test_owners_are_told_once_at_each_share(acme):
    allow(acme, 100)
    with as_system(acme.id):
        for amount, told in ((49, 0), (1, 1), (10, 1), (20, 2), (14, 2), (1, 3), (5, 3)):
            settle(reserve(charge(), amount), amount, "answered", USED)
            assert OutboxMessage.objects.filter(template="ai/mail/budget_reached").count() == told
        shares = [entry.facts["percent"] for entry in Entry.objects.filter(action="ai.budget_reached").order_by("time")]
        assert shares == [50, 80, 95]
        mail = OutboxMessage.objects.filter(template="ai/mail/budget_reached").latest("queued_at")
        assert (mail.to, mail.subject[:4]) == (acme.owner.user.email, "95 %")


def test_a_refusal_says_all_that_a_client_needs(acme):
    allow(acme, 100)
    with as_system(acme.id), pytest.raises(BudgetSpent) as refused:
        reserve(charge(), 101)
    found = refused.value.document("r")
    assert found["status"] == 402
    assert (found["resource"], found["limit"], found["used"], found["requested"]) == ("ai_budget", 100, 0, 101)
    assert found["limit_source"] == "ai_budget"
    assert found["upgrade_url"].endswith(f"/t/{acme.slug}/settings/ai/")
    assert found["retryable"] is False


@pytest.mark.parametrize("statement", ["UPDATE ai_usageevent SET settled = 0", "DELETE FROM ai_usageevent"])
def test_the_app_cannot_change_its_ledger(acme, statement):
    with as_system(acme.id), connection.cursor() as cursor, pytest.raises(DatabaseError, match="permission denied"):
        cursor.execute(statement)


def test_a_ledger_that_was_changed_by_hand_turns_the_probe(acme):
    allow(acme, 100)
    with as_system(acme.id):
        settle(reserve(charge(), 10), 10, "answered", USED)
        with database.superuser() as thief:
            thief.execute("UPDATE ai_usageevent SET settled = 1 WHERE tenant_id = %s", [acme.id])
        assert probe().holds is False


def test_a_month_starts_with_nothing_used(acme, monkeypatch):
    allow(acme, 100)
    with as_system(acme.id):
        reserve(charge(), 100)
        now = clock.now()
        monkeypatch.setattr(clock, "now", lambda: now + timedelta(days=32))
        assert budget_now().taken == 0
        reserve(charge(), 100)
        assert whole().held == 100
