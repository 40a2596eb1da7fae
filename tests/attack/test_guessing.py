"""Guessing at any door is stopped, told and logged; losing Redis stops nothing of that; strangers learn nothing."""

from __future__ import annotations

import re
import time

import pytest
import time_machine
from django.contrib.auth import hashers
from django.core.cache import cache
from django.test import Client
from rest_framework.test import APIClient

from apps.accounts import limits
from apps.accounts.doors import RULES, Door
from apps.accounts.models import Kept, User
from apps.audit.models import Entry
from apps.tenants.context import as_system
from apps.tenants.models import PLATFORM_TENANT_ID
from apps.tenants.slots import Slot, Watcher, slots
from tests.api.test_second_factor import code_of, set_up
from tests.cast import PASSWORD

LOGIN = "/account/login/"


def by_page(member, password, **extra):
    return Client(**extra).post(LOGIN, {"login": member.user.email, "password": password})


def by_token(member, password, **extra):
    body = {"email": member.user.email, "password": password}
    return APIClient(**extra).post("/api/v1/auth/token", body)


DOORS = pytest.mark.parametrize("door", [by_page, by_token], ids=["page", "token"])


@pytest.fixture
def heard(monkeypatch):
    found, watchers = [], Slot()
    watchers.add(Watcher("here", found.append))
    monkeypatch.setattr(slots, "watchers", watchers)
    return found


@pytest.fixture(params=[False, True], ids=["redis up", "redis away"])
def redis_away(request, settings):
    if request.param:
        gone = {"LOCATION": "unix:///nonexistent/valkey.sock"}
        settings.CACHES = {"default": settings.CACHES["default"] | gone}
    return request.param


@DOORS
def test_guessing_a_password_ends_in_429_even_for_the_right_one(acme, heard, redis_away, door):
    answers = [door(acme.editor, f"wrong horse {number}") for number in range(8)]
    assert {answer.status_code for answer in answers[:5]} <= {200, 401}
    assert {answer.status_code for answer in answers[5:]} == {429}
    last = door(acme.editor, PASSWORD)
    assert last.status_code == 429
    assert 0 < int(last["Retry-After"]) <= 301
    assert [event.kind for event in heard] == ["brute_force"]
    assert acme.editor.user.email not in str(heard)


def test_the_api_answers_as_a_problem(acme):
    for _number in range(6):
        answer = by_token(acme.editor, "wrong horse")
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "too_many_tries"
    assert answer.json()["retry_after"] == int(answer["Retry-After"])


def test_the_two_doors_share_one_count(acme):
    for _number in range(3):
        by_page(acme.editor, "wrong horse")
        by_token(acme.editor, "wrong horse")
    assert by_page(acme.editor, PASSWORD).status_code == 429


def test_a_guesser_does_not_lock_the_person_out_elsewhere(acme):
    for _number in range(8):
        by_page(acme.editor, "wrong horse", REMOTE_ADDR="203.0.113.7")
    assert by_page(acme.editor, PASSWORD, REMOTE_ADDR="198.51.100.9").status_code == 302


def strangers_guess(member, door=by_page):
    """Sixty wrong passwords from twelve addresses: more than strangers together have in an hour."""
    return [door(member, f"wrong {n}", REMOTE_ADDR=f"203.0.113.{n % 12}").status_code for n in range(60)]


@DOORS
def test_strangers_close_an_account_for_strangers_alone(acme, door):
    """The right password from a new place waits with them: SECURITY.md says so."""
    assert strangers_guess(acme.editor, door)[-10:] == [429] * 10
    assert door(acme.editor, PASSWORD, REMOTE_ADDR="198.51.100.9").status_code == 429


def test_one_address_that_tries_many_accounts_is_stopped(acme, globex):
    answers = []
    for number in range(40):
        body = {"email": f"person{number}@{acme.slug}.example", "password": "correct horse"}
        answers.append(APIClient(REMOTE_ADDR="203.0.113.8").post("/api/v1/auth/token", body).status_code)
    assert answers[0] == 401
    assert answers[-1] == 429


@DOORS
def test_who_is_switched_off_is_answered_as_for_a_wrong_password(acme, door):
    """By the right password too: the same page, an entry each, and the tries count."""
    User.objects.filter(pk=acme.editor.user_id).update(is_active=False)
    before = len(_logged(PLATFORM_TENANT_ID, "session.refused"))
    wrong, *right = [door(acme.editor, password) for password in ("wrong horse", *[PASSWORD] * 5)]
    assert [answer.status_code for answer in right] == [wrong.status_code] * 4 + [429]
    assert said(right[0]) == said(wrong)
    assert len(_logged(PLATFORM_TENANT_ID, "session.refused")) == before + 5


def said(answer):
    """The words of an answer, without what each request has of its own."""
    return re.sub(r'(nonce|value|request_id|content)"?[=:]\s*"[^"]*"', "", answer.content.decode())


@DOORS
def test_getting_in_costs_nothing(acme, door):
    for _number in range(40):
        assert door(acme.editor, PASSWORD).status_code in {200, 302}


def test_the_window_ends(acme):
    start = time.time()
    for _number in range(6):
        by_token(acme.editor, "wrong horse")
    with time_machine.travel(start + 310):
        assert by_token(acme.editor, PASSWORD).status_code == 200


def test_a_passed_limit_is_in_the_log_once_a_window_without_the_address(acme):
    def logged():
        with as_system(PLATFORM_TENANT_ID):
            return list(Entry.objects.filter(action="limit.passed").order_by("time"))

    before = len(logged())
    for _number in range(12):
        by_token(acme.editor, "wrong horse")
    assert len(logged()) == before + 1
    assert acme.slug not in str(logged()[-1].facts)


def test_what_is_kept_names_nobody(acme):
    by_page(acme.editor, "wrong horse", REMOTE_ADDR="203.0.113.77")
    rows = str(list(Kept.objects.values()))
    assert acme.slug not in rows
    assert "203.0.113.77" not in rows


def test_a_used_code_stays_used_when_redis_forgets(acme):
    secret, _codes = set_up(acme.editor.user)
    with time_machine.travel((int(time.time()) // 30 + 4) * 30 + 1, tick=False):
        body = {"email": acme.editor.user.email, "password": PASSWORD, "otp": code_of(secret)}
        assert APIClient().post("/api/v1/auth/token", body).status_code == 200
        cache.clear()
        assert APIClient().post("/api/v1/auth/token", body).json()["code"] == "otp_wrong"


def test_a_second_factor_works_and_is_limited_without_redis(acme, redis_away):
    secret, _codes = set_up(acme.editor.user)
    with time_machine.travel((int(time.time()) // 30 + 4) * 30 + 1, tick=False):
        client = Client()
        client.post(LOGIN, {"login": acme.editor.user.email, "password": PASSWORD})
        assert client.post("/account/2fa/authenticate/", {"code": code_of(secret)}).status_code == 302
        assert client.get(acme.url()).status_code == 200
        thief = Client()
        thief.post(LOGIN, {"login": acme.editor.user.email, "password": PASSWORD})
        for number in range(6):
            thief.post("/account/2fa/authenticate/", {"code": f"{number:06}"})
    with time_machine.travel((int(time.time()) // 30 + 6) * 30 + 1, tick=False):
        thief.post("/account/2fa/authenticate/", {"code": code_of(secret)})
        assert thief.get(acme.url()).status_code == 302


def test_resets_are_limited_alike_for_known_and_unknown_addresses(acme):
    def answers(email):
        return [Client().post("/account/password/reset/", {"email": email}).status_code for _number in range(7)]

    known, unknown = answers(acme.editor.user.email), answers(f"nobody@{acme.slug}.example")
    assert known == unknown == [302] * 5 + [429] * 2


def test_guessing_links_of_invitations_is_limited(wall):
    answers = [
        Client(REMOTE_ADDR="203.0.113.9").get(f"/account/invitation/{'x' * 43}/").status_code for _number in range(125)
    ]
    assert answers[0] == 404
    assert answers[-1] == 429


def test_every_public_door_that_takes_something_is_counted():
    """Doors of other rooms (reports, webhooks) count for themselves; those of identity are all in the table."""
    open_posts = [
        rule.pattern.pattern
        for rule in RULES
        if rule.door is Door.PUBLIC and (not rule.methods or "POST" in rule.methods)
    ]
    ours = [text for text in open_posts if re.match(r"/(account|api/v1/auth)", text)]
    examples = {
        r"/account/(login|password/reset)(/|\Z)": ["/account/login/", "/account/password/reset/"],
        r"/account/invitation/[A-Za-z0-9_-]{20,64}/\Z": ["/account/invitation/x/"],
        r"/account/2fa/authenticate/\Z": ["/account/2fa/authenticate/"],
        r"/api/v1/auth/(token|refresh|revoke)\Z": [f"/api/v1/auth/{n}" for n in ("token", "refresh", "revoke")],
    }
    for pattern in ours:
        for path in examples.get(pattern, [pattern.split("(")[0].replace("\\Z", "")]):
            assert any(found.match(path) for found, _limit in limits.DOORS), path


@DOORS
def test_a_known_and_an_unknown_address_cost_the_same_work(acme, door, monkeypatch):
    made = []
    monkeypatch.setattr(
        hashers.MD5PasswordHasher, "encode", lambda self, *args: made.append(1) or original(self, *args)
    )
    known_email, user = acme.editor.user.email, acme.editor.user
    door(acme.editor, "wrong horse")
    known = len(made)
    made.clear()
    user.email = f"nobody@{acme.slug}.example"
    door(acme.editor, "wrong horse")
    user.email = known_email
    assert known == len(made) == 1


original = hashers.MD5PasswordHasher.encode


@pytest.mark.parametrize(
    ("sent", "kind"),
    [({"code": "000000"}, "code"), ({"code": "AAAA-BBBB-CCCC"}, "code"), ({"credential": '{"id": "x"}'}, "passkey")],
)
def test_wrong_second_factors_in_the_browser_are_limited_logged_and_told(acme, sent, kind, monkeypatch):
    set_up(acme.editor.user)
    told = []
    monkeypatch.setattr("apps.accounts.limits.security_event", lambda kind, **facts: told.append((str(kind), facts)))
    thief = Client()
    thief.post(LOGIN, {"login": acme.editor.user.email, "password": PASSWORD})
    answers = [thief.post("/account/2fa/authenticate/", sent) for _number in range(7)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 2
    assert answers[-1]["Retry-After"]
    assert "closed for a few minutes" in answers[-1].content.decode()
    assert [fact["limit"] for _kind, fact in told] == ["second_factor.account"]
    with as_system(acme.id):
        logged = list(Entry.objects.filter(action="factor.refused", target_id=acme.editor.user_id))
    assert [(entry.outcome, entry.facts) for entry in logged] == [("refused", {"kind": kind})] * 5


def _logged(tenant, action):
    with as_system(tenant):
        return list(Entry.objects.filter(action=action).order_by("time"))


def test_each_wrong_code_at_the_api_is_an_entry_until_the_limit_and_none_after(acme):
    set_up(acme.editor.user)
    body = {"email": acme.editor.user.email, "password": PASSWORD, "tenant": acme.slug}
    assert APIClient().post("/api/v1/auth/token", body).json()["code"] == "otp_required"
    assert _logged(acme.id, "factor.refused") == []  # no code at all is no guess
    for number, code in enumerate(["000000", "AAAA-BBBB-CCCC"], 1):
        assert APIClient().post("/api/v1/auth/token", body | {"otp": code}).json()["code"] == "otp_wrong"
        assert len(_logged(acme.id, "factor.refused")) == number
    answers = [APIClient().post("/api/v1/auth/token", body | {"otp": "000000"}).status_code for _n in range(6)]
    assert answers == [401] * 3 + [429] * 3
    assert len(_logged(acme.id, "factor.refused")) == 5


@DOORS
def test_each_failed_sign_in_is_an_entry_until_the_limit_and_none_after(acme, door):
    before = len(_logged(PLATFORM_TENANT_ID, "session.refused"))
    for _number in range(9):
        door(acme.editor, "wrong horse")
    assert len(_logged(PLATFORM_TENANT_ID, "session.refused")) == before + 5


def test_a_wrong_password_where_it_is_asked_again_is_an_entry_too(acme, browse):
    before, page = len(_logged(PLATFORM_TENANT_ID, "session.refused")), browse(acme.editor)
    answers = [page.post("/account/reauthenticate/", {"password": "wrong horse"}).status_code for _number in range(8)]
    assert (answers[0], answers[-1]) == (200, 429)
    assert len(_logged(PLATFORM_TENANT_ID, "session.refused")) == before + answers.count(200)


def test_a_wrong_password_where_it_is_changed_is_an_entry_and_counts_without_redis(acme, browse, redis_away):
    before, page = len(_logged(PLATFORM_TENANT_ID, "session.refused")), browse(acme.editor)
    sent = {
        "oldpassword": "wrong horse",
        "password1": "a new long horse battery",
        "password2": "a new long horse battery",
    }
    assert page.post("/account/password/change/", sent).status_code == 200
    assert len(_logged(PLATFORM_TENANT_ID, "session.refused")) == before + 1
    assert acme.editor.user.email not in str(_logged(PLATFORM_TENANT_ID, "session.refused")[-1].facts)
    answers = [page.post("/account/password/change/", sent).status_code for _number in range(6)]
    assert answers == [200] * 4 + [429] * 2
    assert page.post("/account/password/change/", sent | {"oldpassword": PASSWORD}).status_code == 429
    assert len(_logged(PLATFORM_TENANT_ID, "session.refused")) == before + 5
