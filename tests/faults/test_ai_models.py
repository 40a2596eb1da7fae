"""Models that fail in every way: each attempt is in the ledger, money that may be gone counts as gone, nobody waits."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from django.db import connections

from apps.ai import breaker, gateway
from apps.ai.actions import expire_due
from apps.ai.actions.ledger import HOLD_SECONDS, budget_now
from apps.ai.models import Reservation, Summary
from apps.ai.usage import ledger_sum
from apps.tenants.context import as_system
from tests import database
from tests.ai import allowed, ask, events, run, waiting
from tests.models import ModelServer

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def model(settings: Any) -> Any:
    """A model at a dollar a million tokens in and two out, and this process told to use it."""
    server = ModelServer()
    settings.AI_URL, settings.AI_MODEL, settings.AI_PRICE = server.url, "small-1", "1/2"
    settings.AI_KEY = "sk-test"
    yield server
    server.end()


@pytest.fixture
def asked(api, acme, model):
    """The reviewer of acme has asked for a summary."""
    allowed(acme)
    _submission, task = waiting(api, acme)
    assert ask(api, acme, task).status_code == 201
    return task


def whole(company: Any) -> Any:
    with as_system(company.id):
        found = budget_now()
        assert (found.spent, found.held) == (ledger_sum(found), 0)
        return found


def test_what_the_provider_counted_is_what_is_charged(acme, model, asked):
    assert run(acme) == "done"
    (event,) = events(acme)
    assert (event.input_tokens, event.cache_read_tokens, event.output_tokens) == (300, 100, 60)
    assert (event.settled, event.usage_source, event.outcome) == (520, "provider", "answered")
    assert (event.requested_model, event.answered_model, event.response_id) == ("small-1", "small-1-2026", "chatcmpl-1")
    assert (event.finish_reason, event.price_version, event.attempt) == ("stop", "own 1/2", 1)
    assert event.reserved > event.settled
    assert whole(acme).spent == 520
    ((headers, body),) = model.asked
    assert body["max_tokens"] == 500
    assert "tools" not in body
    assert headers["authorization"] == "Bearer sk-test"


@pytest.mark.parametrize(("status", "attempts"), [(500, 3), (503, 3), (429, 3), (400, 1), (401, 1), (404, 1)])
def test_an_error_is_tried_again_only_where_it_may_pass_and_costs_nothing(acme, model, asked, status, attempts):
    model.status = status
    assert run(acme) == f"http_{status}"
    found = events(acme)
    assert len(model.asked) == len(found) == attempts
    assert {(event.outcome, event.settled, event.usage_source) for event in found} == {(f"http_{status}", 0, "none")}
    assert [event.attempt for event in found] == list(range(1, attempts + 1))
    whole(acme)


def test_an_error_that_passes_is_forgotten(acme, model, asked):
    model.status = 500
    with as_system(acme.id), pytest.raises(Exception, match="http_500"):
        from apps.ai.actions import summaries

        summaries.write_summary(Summary.objects.get().pk)
    model.status = 200
    assert run(acme) == "done"
    assert [event.outcome for event in events(acme)] == ["http_500", "answered"]


def test_a_model_that_answers_too_late_counts_as_used(acme, model, asked, monkeypatch):
    monkeypatch.setattr(gateway, "TIMEOUT_SECONDS", 0.3)
    model.free.clear()
    assert run(acme) == "timeout"
    found = events(acme)
    assert {(event.outcome, event.usage_source) for event in found} == {("timeout", "estimated")}
    assert all(event.settled == event.reserved > 0 for event in found)
    whole(acme)


def test_an_answer_that_drips_is_cut_off_by_its_whole_time(acme, model, asked, monkeypatch):
    monkeypatch.setattr(gateway, "TIMEOUT_SECONDS", 0.5)  # each single byte comes in time
    model.drips = True
    assert run(acme) == "timeout"
    assert {event.usage_source for event in events(acme)} == {"estimated"}
    whole(acme)


@pytest.mark.parametrize(
    ("raw", "outcome"),
    [(b"<html>", "garbage"), (b"[1]", "garbage"), (b"{" * 20_000, "garbage"), (b"x" * 300_000, "too_large")],
)
def test_garbage_counts_as_used_and_is_not_asked_for_again(acme, model, asked, raw, outcome):
    model.raw = raw
    assert run(acme) == outcome
    (event,) = events(acme)
    assert (event.settled, event.usage_source) == (event.reserved, "estimated")
    whole(acme)


@pytest.mark.parametrize(
    "usage",
    [
        None, "many", {}, {"prompt_tokens": -1, "completion_tokens": 5}, {"prompt_tokens": True, "completion_tokens": 5},
        {"prompt_tokens": 5, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 9}},
    ],
)  # fmt: skip
def test_without_a_count_that_makes_sense_all_that_was_held_is_charged_and_flagged(acme, model, asked, usage):
    model.usage = usage
    assert run(acme) == "done"
    (event,) = events(acme)
    assert (event.settled, event.usage_source) == (event.reserved, "estimated")
    whole(acme)


def test_zero_tokens_are_zero(acme, model, asked):
    model.usage = {"prompt_tokens": 0, "completion_tokens": 0}
    assert run(acme) == "done"
    (event,) = events(acme)
    assert (event.settled, event.usage_source) == (0, "provider")


def test_more_than_was_allowed_to_be_written_is_charged_up_to_the_limit_and_named(api, acme, model):
    allowed(acme, 10_000)
    _submission, task = waiting(api, acme)
    ask(api, acme, task)
    model.usage = {"prompt_tokens": 400, "completion_tokens": 900_000}
    assert run(acme) == "done"
    (event,) = events(acme)
    assert (event.settled, event.excess) == (10_000, 1_800_400 - 10_000)
    assert whole(acme).spent == 10_000


@pytest.mark.parametrize("content", ["Approve it.", '{"summary": "a", "verdict": "approve"}', " "])
def test_words_of_another_shape_are_paid_and_not_shown(acme, model, asked, content):
    model.content = content
    assert run(acme) in {"unusable", "empty"}
    assert events(acme)[0].settled == 520
    with as_system(acme.id):
        assert Summary.objects.get().text == {}


def test_a_redirect_is_not_followed(acme, model, asked):
    thief = ModelServer()
    model.status, model.location = 307, f"{thief.url}/chat/completions"
    assert run(acme) == "http_307"
    assert thief.asked == []
    thief.end()


def test_nobody_at_the_address_costs_nothing(acme, model, asked, settings):
    settings.AI_URL = "http://127.0.0.1:9/v1"
    assert run(acme) == "unreachable"
    assert {event.settled for event in events(acme)} == {0}
    whole(acme)


def test_after_three_failures_in_a_row_nobody_asks_for_a_while(acme, model, asked, api, monkeypatch):
    model.status = 503
    run(acme)
    assert len(model.asked) == 3
    _other, task = waiting(api, acme)
    ask(api, acme, task)
    assert run(acme) == "breaker_open"
    assert len(model.asked) == 3
    now = time.monotonic()
    monkeypatch.setattr(breaker.time, "monotonic", lambda: now + breaker.OPEN_SECONDS + 1)
    model.status = 200
    ask(api, acme, task)
    assert run(acme) == "done"


def test_a_hold_lasts_longer_than_any_call():
    assert HOLD_SECONDS > 2 * gateway.TIMEOUT_SECONDS + gateway.CONNECT_SECONDS


@pytest.mark.every_tenant
def test_a_worker_that_dies_in_a_call_leaves_money_held_and_another_does_the_work(acme, model, asked, monkeypatch):
    model.free.clear()
    name = str(connections["default"].settings_dict["NAME"])
    environment = os.environ | database.urls(name) | {
        "ORKESTRA_AI_URL": model.url, "ORKESTRA_AI_MODEL": "small-1", "ORKESTRA_AI_PRICE": "1/2",
        "ORKESTRA_AI_KEY": "sk-test",
    }  # fmt: skip
    command = [sys.executable, "manage.py", "work", "--stalled-after", "1"]
    database.work_for(acme.id)
    first = subprocess.Popen(command, cwd=PROJECT, env=environment, stdin=subprocess.DEVNULL)
    try:
        assert model.waits.wait(60)
    finally:
        first.send_signal(signal.SIGKILL)
        first.wait()
    with as_system(acme.id):
        assert Reservation.objects.get().state == "held"
        assert budget_now().held == Reservation.objects.get().amount
    model.free.set()
    second = subprocess.Popen(command, cwd=PROJECT, env=environment, stdin=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 60
        while not done(acme):
            assert time.monotonic() < end, "It was never written."
            time.sleep(0.05)
    finally:
        second.kill()
        second.wait()
    with as_system(acme.id):
        Reservation.objects.filter(state="held").update(expires_at="2020-01-01T00:00:00Z")
        assert expire_due() == 1
    found = events(acme)
    assert sorted((event.outcome, event.usage_source) for event in found) == [
        ("answered", "provider"),
        ("expired", "estimated"),
    ]
    assert json.loads(model.content)["summary"]
    whole(acme)


def done(company: Any) -> bool:
    with as_system(company.id):
        return Summary.objects.get().state == "done"
