"""What is revoked stays revoked, whatever becomes of Redis: gone, flushed, restarted empty, or never filled."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import time_machine
from django.db import connections, transaction
from django.test.utils import CaptureQueriesContext
from django_redis import get_redis_connection
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st
from redis.exceptions import RedisError
from rest_framework.test import APIClient

from apps.accounts import actions, revocation
from apps.accounts.models import Revocation, RevokedKind
from apps.tenants import clock
from orkestra.runtime import valkey as runtime
from orkestra.runtime.home import Home
from tests.cast import PASSWORD

CALLERS, CALLED = 3, 25


class Valkey:
    """A server of this test's own, to be killed."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "valkey.sock"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [
            str(runtime.program(Home(self.socket.parent, None))),
            "--port",
            "0",
            "--unixsocket",
            str(self.socket),
            "--save",
            "",
            "--daemonize",
            "no",
        ]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        end = time.monotonic() + 20
        while not self._answers():
            assert time.monotonic() < end

    def _answers(self) -> bool:
        try:
            return bool(get_redis_connection().ping())
        except RedisError:
            return False

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def valkey(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Valkey]:
    with tempfile.TemporaryDirectory() as folder:
        server = Valkey(Path(folder))
        location = {"LOCATION": f"unix://{server.socket}"}
        settings.CACHES = {"default": settings.CACHES["default"] | location}
        monkeypatch.setattr(revocation, "BREAKER_SECONDS", 0.0)
        server.start()
        yield server
        server.kill()


def pair(api, company):
    body = {"email": company.editor.user.email, "password": PASSWORD, "tenant": company.slug}
    return api.post("/api/v1/auth/token", body).json()


def call(api, tokens):
    return api.get("/api/v1/forms", headers={"Authorization": f"Bearer {tokens['access']}"}).status_code


def test_a_revoked_family_takes_its_access_tokens_along(api, acme, valkey):
    tokens, other = pair(api, acme), pair(api, acme)
    revocation.copy_to_cache()
    assert call(api, tokens) == 200
    api.post("/api/v1/auth/revoke", {"refresh": tokens["refresh"]})
    assert call(api, tokens) == 401
    assert call(api, other) == 200


def test_a_used_refresh_token_takes_the_access_tokens_of_its_thief_along(api, acme, valkey):
    tokens = pair(api, acme)
    stolen = api.post("/api/v1/auth/refresh", {"refresh": tokens["refresh"]}).json()
    revocation.copy_to_cache()
    assert call(api, stolen) == 200
    with time_machine.travel(clock.now() + timedelta(seconds=11)):
        assert api.post("/api/v1/auth/refresh", {"refresh": tokens["refresh"]}).status_code == 401
        assert call(api, stolen) == 401


def test_another_password_ends_all_tokens_and_new_ones_work_at_once(api, browse, acme, valkey):
    revocation.copy_to_cache()
    tokens = pair(api, acme)
    new = "another long horse battery"
    page = browse(acme.editor)
    body = {"oldpassword": PASSWORD, "password1": new, "password2": new}
    assert page.post("/account/password/change/", body).status_code == 302
    assert call(api, tokens) == 401
    assert api.post("/api/v1/auth/refresh", {"refresh": tokens["refresh"]}).status_code == 401
    body = {"email": acme.editor.user.email, "password": new, "tenant": acme.slug}
    assert call(api, api.post("/api/v1/auth/token", body).json()) == 200


@pytest.mark.parametrize("harm", ["kill", "flush", "restart"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_whatever_happens_to_redis_it_stays_revoked(api, acme, valkey, harm, when):
    tokens = pair(api, acme)
    revocation.copy_to_cache()

    def do_harm():
        if harm == "flush":
            get_redis_connection().flushall()
            return
        valkey.kill()
        if harm == "restart":
            valkey.start()

    if when == "before":
        do_harm()
    api.post("/api/v1/auth/revoke", {"refresh": tokens["refresh"]})
    assert call(api, tokens) == 401
    if when == "after":
        do_harm()
    assert call(api, tokens) == 401
    if harm != "kill":
        revocation.copy_to_cache()
        assert call(api, tokens) == 401


def test_nothing_revoked_is_accepted_while_redis_is_killed_flushed_and_started_under_load(api, acme, valkey):
    tokens, gone, stop = [pair(api, acme) for _number in range(CALLED)], set(), Event()
    seen: list[tuple[bool, int]] = []

    def ask() -> None:
        client = APIClient()
        while not stop.is_set():
            for number, one in enumerate(tokens):
                was_gone = number in gone  # looked at before the request begins: from then on it must be refused
                seen.append((was_gone, call(client, one)))
        connections.close_all()

    def copy() -> None:
        while not stop.is_set():
            revocation.copy_to_cache()
        connections.close_all()

    with ThreadPoolExecutor(CALLERS + 1) as pool:
        works = [pool.submit(ask) for _caller in range(CALLERS)] + [pool.submit(copy)]
        try:
            for number, one in enumerate(tokens[:-1]):
                (valkey.kill, valkey.start, get_redis_connection().flushall)[number % 3]()
                assert api.post("/api/v1/auth/revoke", {"refresh": one["refresh"]}).status_code == 204
                gone.add(number)
        finally:
            stop.set()
        for work in works:
            work.result()
    statuses = Counter(seen)
    assert {status for was_gone, status in statuses if was_gone} == {401}, statuses
    assert statuses[True, 401] > CALLED
    assert statuses[False, 200] > 0
    assert call(api, tokens[-1]) == 200


def test_with_the_copy_ready_no_statement_is_spent_on_it(api, acme, valkey):
    tokens = pair(api, acme)

    def asked():
        with CaptureQueriesContext(connections["default"]) as found:
            assert call(api, tokens) == 200
        return sum("accounts_revocation" in one["sql"] for one in found.captured_queries)

    assert asked() == 1
    revocation.copy_to_cache()
    assert asked() == 0


def test_a_flush_in_the_middle_of_a_copy_leaves_it_not_ready(acme, valkey, monkeypatch):
    pushed = revocation._push
    monkeypatch.setattr(revocation, "_push", lambda rows: (pushed(rows), get_redis_connection().flushall()))
    with transaction.atomic():
        revocation.revoke(RevokedKind.USER, acme.editor.user_id)
    revocation.copy_to_cache()
    assert get_redis_connection().hget(revocation.COPY, "ready") is None


def test_with_redis_and_the_database_away_nobody_gets_in(api, acme, valkey, monkeypatch):
    tokens = pair(api, acme)
    valkey.kill()
    connections["default"].close()
    monkeypatch.setitem(connections["default"].settings_dict, "NAME", "there_is_no_such_database")
    api.raise_request_exception = False
    assert call(api, tokens) == 503


def test_the_app_can_add_and_forget_revocations_and_change_none(acme):
    from django.db import DatabaseError

    with pytest.raises(DatabaseError, match="permission denied"):
        Revocation.objects.update(at="2020-01-01T00:00Z")


@hypothesis(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(["issue", "revoke", "password", "copy", "flush"]), max_size=12))
def test_in_any_order_of_events_both_ways_of_asking_agree(api, acme, valkey, events):
    from apps.accounts import tokens as access

    issued: list[Any] = []
    alive: dict[int, bool] = {}
    for event in events:
        if event == "issue":
            made = actions.open_family(acme.editor.user, tenant=acme.id)
            alive[len(issued)] = True
            issued.append(made)
        elif event == "revoke" and issued:
            actions.revoke(issued[-1].refresh)
            alive[len(issued) - 1] = False
        elif event == "password":
            actions.password_changed(acme.editor.user)
            alive = dict.fromkeys(alive, False)
        elif event == "copy":
            revocation.copy_to_cache()
        elif event == "flush":
            get_redis_connection().flushall()
    for index, made in enumerate(issued):
        claims = access.read_access(made.access)
        assert revocation.ask_database(claims) is not alive[index]
        assert revocation.ask_cache(claims) in {None, not alive[index]}
