"""Feature flags: the same cohort on every machine, growing only, and for one's own tenant only."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, connections
from hypothesis import given
from hypothesis import strategies as st
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import FlagNotFoundError, InvalidContextError, OpenFeatureError
from openfeature.flag_evaluation import Reason

from apps.accounts.tokens import issue_access
from apps.audit.models import Entry
from apps.flags import actions, evaluation
from apps.flags.listening import CHANNEL
from apps.flags.models import Flag
from apps.flags.preview import Flips, flips
from apps.flags.rules import BUCKETS, Rule, bucket, decide
from apps.tenants import clock
from apps.tenants.context import as_system
from apps.tenants.ids import new_id
from apps.tenants.models import PLATFORM_TENANT_ID
from tests import database

PROJECT = Path(__file__).resolve().parents[2]
GOLDEN = [
    ("new-editor", "tenant-1", 37255, 17721, 71),
    ("new-editor", "tenant-2", 94532, 43999, 63),
    ("ai.summary", "0198e1c0-0000-7000-8000-000000000001", 51149, 65231, 27),
]
TEXT = st.text(max_size=300)


@pytest.mark.parametrize(("key", "unit", "second", "third", "unleash"), GOLDEN)
def test_the_golden_vectors_of_the_other_implementations_agree(key, unit, second, third, unleash):
    assert bucket("flagd-2", key, unit) == second
    assert bucket("flagd-3", key, unit) == third
    assert bucket("unleash-1", key, unit) == (unleash - 1) * 1000


@given(
    TEXT, TEXT, st.sampled_from(["flagd-3", "flagd-2", "unleash-1"]), st.integers(0, BUCKETS), st.integers(0, BUCKETS)
)
def test_growing_a_cohort_only_adds_to_it(salt, unit, algo, one, other):
    low, high = sorted((one, other))
    smaller, larger = (decide(Rule("k", algo, salt, most, False, 1), unit, None).value for most in (low, high))
    assert larger or not smaller
    assert 0 <= bucket(algo, salt, unit) < BUCKETS


@given(st.booleans(), st.sampled_from([None, True, False]), st.integers(0, BUCKETS))
def test_a_kill_stands_above_an_override_and_that_above_the_cohort(is_killed, override, threshold):
    found = decide(Rule("k", "flagd-3", "s", threshold, is_killed, 1), "u", override)
    by_cohort = bucket("flagd-3", "s", "u") < threshold
    assert found.value == (False if is_killed else by_cohort if override is None else override)


@pytest.fixture
def flag(acme):
    evaluation.forget()
    return actions.create_flag(key=f"feature-{new_id().hex[-8:]}", description="Something new")


def ask(api, member, key, **context):
    return api.as_(member).post(f"/ofrep/v1/evaluate/flags/{key}", {"context": context})


def test_an_answer_carries_what_computes_it_again(api, acme, flag):
    actions.change_flag(flag.key, threshold=50_000)
    found = ask(api, acme.editor, flag.key).json()
    receipt = found["metadata"]
    assert receipt["bucket"] == bucket(receipt["algo"], receipt["salt"], str(acme.id))
    assert found["value"] == (receipt["bucket"] < receipt["threshold"])
    assert found["variant"] == ("on" if found["value"] else "off")
    assert found["reason"] == "SPLIT"


def test_everybody_is_in_at_a_hundred_percent_and_nobody_at_none(api, acme, flag):
    assert ask(api, acme.editor, flag.key).json()["value"] is False
    actions.change_flag(flag.key, threshold=BUCKETS)
    assert ask(api, acme.editor, flag.key).json()["value"] is True
    actions.change_flag(flag.key, is_killed=True)
    found = ask(api, acme.editor, flag.key).json()
    assert (found["value"], found["reason"]) == (False, "DISABLED")


def test_one_tenants_override_is_not_anothers(api, acme, globex, flag):
    with as_system(acme.id):
        actions.set_override(flag, True)
    assert ask(api, acme.editor, flag.key).json()["value"] is True
    assert ask(api, globex.editor, flag.key).json()["value"] is False
    with as_system(acme.id):
        actions.set_override(flag, None)
    assert ask(api, acme.editor, flag.key).json()["value"] is False


def test_nobody_asks_for_another_tenant(api, acme, globex, flag):
    assert ask(api, acme.editor, flag.key, targetingKey=str(acme.id)).status_code == 200
    answer = ask(api, acme.editor, flag.key, targetingKey=str(globex.id))
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "INVALID_CONTEXT")
    assert (
        api.as_(acme.editor).post("/ofrep/v1/evaluate/flags", {"context": {"targetingKey": str(globex.id)}}).status_code
        == 400
    )


def test_an_unknown_flag_and_no_token(api, browse, acme, flag):
    assert ask(api, acme.editor, "nothing").json()["errorCode"] == "FLAG_NOT_FOUND"
    assert api.post(f"/ofrep/v1/evaluate/flags/{flag.key}", {}).status_code == 401
    assert browse(acme.editor).post(f"/ofrep/v1/evaluate/flags/{flag.key}").status_code == 401


def test_all_at_once_with_a_tag_that_is_this_tenants_own(api, acme, globex, flag):
    first = api.as_(acme.editor).post("/ofrep/v1/evaluate/flags", {})
    assert flag.key in {one["key"] for one in first.json()["flags"]}
    tag = {"If-None-Match": first["ETag"]}
    assert api.as_(acme.editor).post("/ofrep/v1/evaluate/flags", {}, headers=tag).status_code == 304
    assert api.as_(globex.editor).post("/ofrep/v1/evaluate/flags", {}, headers=tag).status_code == 200
    actions.change_flag(flag.key, threshold=BUCKETS)
    assert api.as_(acme.editor).post("/ofrep/v1/evaluate/flags", {}, headers=tag).status_code == 200


@pytest.mark.parametrize("column", ["key", "algo", "salt"])
def test_the_database_refuses_another_key_algorithm_or_salt(flag, column):
    with connection.cursor() as cursor, pytest.raises(DatabaseError, match="never changes"):
        cursor.execute(f"UPDATE flags_flag SET {column} = 'other' WHERE id = %s", [flag.pk])


def test_every_change_is_logged_with_before_and_after(acme, flag):
    actions.change_flag(flag.key, threshold=7)
    with as_system(acme.id):
        actions.set_override(flag, True)
        mine = Entry.objects.filter(action="flag.overridden").latest("time").facts
    with as_system(PLATFORM_TENANT_ID):
        found = Entry.objects.filter(action="flag.changed", target_id=flag.pk).latest("time").facts
    assert (found["before"]["threshold"], found["after"]["threshold"]) == (0, 7)
    assert (mine["before"], mine["after"]) == (None, True)


def another_process(*words):
    """Run the operators' command in a process of its own, on this database."""
    name = str(connections["default"].settings_dict["NAME"])
    command = [sys.executable, "manage.py", "flag", *words]
    done = subprocess.run(command, cwd=PROJECT, env=os.environ | database.urls(name), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_kill_by_another_process_is_heard_without_waiting_for_the_poll(api, acme, flag, monkeypatch):
    actions.change_flag(flag.key, threshold=BUCKETS)
    assert ask(api, acme.editor, flag.key).json()["value"] is True
    assert evaluation.listener.hears.wait(30)
    still = evaluation.time.monotonic()
    monkeypatch.setattr(evaluation.time, "monotonic", lambda: still)  # the poll's time never comes
    another_process("kill", flag.key)
    for _turn in range(3000):
        if ask(api, acme.editor, flag.key).json()["value"] is False:
            return
        threading.Event().wait(0.01)
    pytest.fail("It was never heard.")


def test_a_listener_whose_connection_dies_reads_again_and_listens_again(api, acme, flag, monkeypatch):
    assert ask(api, acme.editor, flag.key).json()["value"] is False
    monkeypatch.setattr("apps.flags.listening.AGAIN_SECONDS", 0.05)
    assert evaluation.listener.hears.wait(30)
    before = evaluation._changes
    with database.superuser() as root:
        statement = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'orkestra-flags' AND datname = current_database()"
        assert root.execute(statement).rowcount >= 1
    for _turn in range(3000):
        if evaluation._changes > before and evaluation.listener.hears.is_set():
            break
        threading.Event().wait(0.01)
    assert evaluation._changes > before


def test_a_listener_hears_a_notice_of_any_text_and_goes_on(api, acme, flag):
    """PostgreSQL lets every role send one; its text is never read."""
    assert ask(api, acme.editor, flag.key).json()["value"] is False
    assert evaluation.listener.hears.wait(30)
    for payload in ("x", "[]", '{"type": 7}', "[" * 7900):
        before = evaluation._changes
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, payload])
        for _turn in range(3000):
            if evaluation._changes > before:
                break
            threading.Event().wait(0.01)
        assert evaluation._changes > before
    assert evaluation.listener.hears.is_set()


def test_who_would_flip_is_shown_before_anything_is_saved(acme, globex, flag):
    with as_system(globex.id):
        actions.set_override(flag, False)
    said = io.StringIO()
    call_command("flag", "percent", flag.key, "100", "--dry-run", stdout=said)
    shown = said.getvalue()
    assert f"+ {acme.slug}" in shown or "more" in shown
    assert f"+ {globex.slug}\n" not in shown  # an override stands above
    assert Flag.objects.get(pk=flag.pk).threshold == 0
    found = flips(flag, BUCKETS)
    assert acme.slug in found.on
    assert globex.slug not in found.on
    assert found.off == ()
    call_command("flag", "percent", flag.key, "100", stdout=io.StringIO())
    grown = Flag.objects.get(pk=flag.pk)
    assert grown.threshold == BUCKETS
    assert acme.slug in flips(grown, 0).off
    assert flips(actions.change_flag(flag.key, is_killed=True), 0) == Flips((), (), flips(grown, BUCKETS).same)


def test_the_stock_provider_of_openfeature_agrees_on_a_live_server(address, acme, globex, flag):
    actions.change_flag(flag.key, threshold=BUCKETS)
    with as_system(globex.id):
        actions.set_override(flag, False)

    def asking(member):
        token = issue_access(
            user=member.user_id, tenant=member.tenant_id, family=new_id(), auth_time=clock.now(), amr="pwd"
        )
        return OFREPProvider(address, headers_factory=lambda: {"Authorization": f"Bearer {token}"})

    mine = asking(acme.editor).resolve_boolean_details(flag.key, False, EvaluationContext(str(acme.id)))
    assert (mine.value, mine.variant, mine.reason) == (True, "on", Reason.SPLIT)
    receipt = mine.flag_metadata
    assert bucket(receipt["algo"], receipt["salt"], str(acme.id)) == receipt["bucket"] < receipt["threshold"]
    theirs = asking(globex.editor).resolve_boolean_details(flag.key, True)
    assert (theirs.value, theirs.reason) == (False, Reason.TARGETING_MATCH)
    actions.change_flag(flag.key, is_killed=True)
    assert asking(acme.editor).resolve_boolean_details(flag.key, True).reason == Reason.DISABLED
    with pytest.raises(FlagNotFoundError):
        asking(acme.editor).resolve_boolean_details("nothing", False)
    with pytest.raises(InvalidContextError):
        asking(acme.editor).resolve_boolean_details(flag.key, False, EvaluationContext(str(globex.id)))
    with pytest.raises(OpenFeatureError):
        OFREPProvider(address).resolve_boolean_details(flag.key, False)


def test_a_process_that_hears_nothing_follows_within_the_promised_seconds(api, acme, flag, monkeypatch):
    monkeypatch.setattr(evaluation.listener, "_changed", lambda: None)  # deaf
    assert ask(api, acme.editor, flag.key).json()["value"] is False
    Flag.objects.filter(pk=flag.pk).update(threshold=BUCKETS)  # as another process would, without telling this one
    assert ask(api, acme.editor, flag.key).json()["value"] is False
    start = evaluation.time.monotonic()
    monkeypatch.setattr(evaluation.time, "monotonic", lambda: start + evaluation.FRESH_SECONDS)
    assert ask(api, acme.editor, flag.key).json()["value"] is True
    assert evaluation.FRESH_SECONDS <= 5


def test_the_page_shows_what_is_on_and_why(browse, acme, flag):
    with as_system(acme.id):
        actions.set_override(flag, True)
    text = browse(acme.owner).get(acme.url("settings/flags/")).content.decode()
    assert flag.key in text
    assert "Set for this tenant alone." in text
    assert browse(acme.editor).get(acme.url("settings/flags/")).status_code == 403
