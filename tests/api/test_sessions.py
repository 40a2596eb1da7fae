"""Sessions of browsers: listed, ended, bounded by the server; and what changes at the very next request."""

from __future__ import annotations

import re
import time
from io import StringIO

import pytest
import time_machine
from django.conf import settings as django_settings
from django.core.management import call_command
from django.test import Client
from rest_framework.test import APIClient

from apps.accounts import probes
from apps.accounts.devices import in_words
from apps.accounts.models import BrowserSession, Member, User
from apps.accounts.sessions import TOUCHED_SECONDS, stored_key
from apps.audit.models import Entry
from apps.tenants.context import as_system
from tests import database
from tests.api.test_api_keys import door, make
from tests.cast import PASSWORD

LOGIN = "/account/login/"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PAGE = "/account/sessions/"


def signed_in(member, agent=FIREFOX):
    client = Client(headers={"User-Agent": agent})
    assert client.post(LOGIN, {"login": member.user.email, "password": PASSWORD}).status_code == 302
    return client


def is_in(client, company):
    return client.get(company.url("forms/")).status_code == 200


def pair(member, company, password=PASSWORD):
    body = {"email": member.user.email, "password": password, "tenant": company.slug}
    return APIClient().post("/api/v1/auth/token", body)


def test_the_page_lists_browsers_tokens_and_keys_with_device_and_place(api, acme):
    here = signed_in(acme.owner)
    signed_in(acme.owner, "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1")
    pair(acme.owner, acme)
    make(api, acme.owner)
    text = here.get(PAGE).content.decode()
    for words in ("Firefox on Linux", "Safari on iPhone", "this one", "127.0.0.1", "Nightly export", acme.tenant.name):
        assert words in text
    assert here.session.session_key not in text


def test_a_use_that_is_not_noted_yet_is_within_the_bounds_and_one_that_was_put_off_is_not(acme):
    with database.superuser() as connection:
        connection.execute("DELETE FROM accounts_browsersession")
    here = signed_in(acme.owner)
    with time_machine.travel(time.time() + TOUCHED_SECONDS - 1, tick=False):
        assert here.post("/account/reauthenticate/", {"password": PASSWORD}).status_code == 302
        assert probes.sessions().holds is True
    with database.superuser() as connection:
        connection.execute("UPDATE accounts_browsersession SET expire_date = expire_date + interval '6 minutes'")
    assert probes.sessions().holds is False
    with database.superuser() as connection:
        connection.execute("DELETE FROM accounts_browsersession")


def test_one_session_is_ended_from_another(acme):
    here, there = signed_in(acme.owner), signed_in(acme.owner)
    (name,) = re.findall(r'value="(session:[0-9a-f]{32})"', here.get(PAGE).content.decode())
    assert is_in(there, acme)
    here.post(PAGE, {"end": name})
    assert not is_in(there, acme)
    assert is_in(here, acme)


def test_all_others_are_ended_at_once(acme):
    here, there = signed_in(acme.owner), signed_in(acme.owner)
    tokens = pair(acme.owner, acme).json()
    here.post(PAGE, {"end": "others"})
    assert not is_in(there, acme)
    assert is_in(here, acme)
    assert door(tokens["access"]).get("/api/v1/forms").status_code == 401
    assert APIClient().post("/api/v1/auth/refresh", {"refresh": tokens["refresh"]}).status_code == 401


def test_tokens_and_keys_are_ended_from_the_page(api, acme):
    here, key = signed_in(acme.owner), make(api, acme.owner).json()["key"]
    tokens = pair(acme.owner, acme).json()
    for name in re.findall(r'value="((?:tokens|key):[0-9a-f-]{36})"', here.get(PAGE).content.decode()):
        here.post(PAGE, {"end": name})
    assert door(tokens["access"]).get("/api/v1/forms").status_code == 401
    assert door(key).get("/api/v1/forms").status_code == 401


@pytest.mark.parametrize("kind", ["session", "tokens", "key"])
def test_nobody_ends_what_is_anothers(api, acme, kind):
    victim, thief = signed_in(acme.owner), signed_in(acme.editor)
    key, tokens = make(api, acme.owner).json()["key"], pair(acme.owner, acme).json()
    watcher = signed_in(acme.owner)
    text = watcher.get(PAGE).content.decode()
    for name in re.findall(rf'value="({kind}:[0-9a-f-]+)"', text):
        thief.post(PAGE, {"end": name})
    thief.post(PAGE, {"end": f"{kind}:x"})
    assert is_in(victim, acme)
    assert is_in(thief, acme)
    assert door(key).get("/api/v1/forms").status_code == 200
    assert door(tokens["access"]).get("/api/v1/forms").status_code == 200


def test_twelve_hours_without_use_end_it_and_use_puts_that_off(acme):
    client, start = signed_in(acme.editor), time.time()
    for hours in (11, 22, 33):
        with time_machine.travel(start + hours * 3600):
            assert is_in(client, acme)
    with time_machine.travel(start + 46 * 3600):
        assert not is_in(client, acme)


def test_seven_days_end_it_however_much_it_is_used(acme):
    client, start = signed_in(acme.editor), time.time()
    for hours in range(10, 168, 10):
        with time_machine.travel(start + hours * 3600):
            assert is_in(client, acme), hours
    with time_machine.travel(start + 168 * 3600 + 60):
        assert not is_in(client, acme)


def test_a_cookie_that_claims_to_live_on_does_not(acme):
    client, start = signed_in(acme.editor), time.time()
    stolen = client.cookies[django_settings.SESSION_COOKIE_NAME].value
    with time_machine.travel(start + 13 * 3600):
        thief = Client()
        thief.cookies[django_settings.SESSION_COOKIE_NAME] = stolen
        assert not is_in(thief, acme)


def test_a_session_that_was_planted_is_not_the_one_that_signs_in(acme):
    victim = Client()
    victim.get(LOGIN)
    session = victim.session
    session["x"] = 1
    session.save()
    planted = session.session_key
    victim.cookies[django_settings.SESSION_COOKIE_NAME] = planted
    victim.post(LOGIN, {"login": acme.editor.user.email, "password": PASSWORD})
    assert is_in(victim, acme)
    thief = Client()
    thief.cookies[django_settings.SESSION_COOKIE_NAME] = planted
    assert not is_in(thief, acme)
    assert not BrowserSession.objects.filter(session_key=stored_key(planted)).exists()


def test_signing_in_needs_the_token_of_the_form(acme):
    client = Client(enforce_csrf_checks=True)
    client.get(LOGIN)
    assert client.post(LOGIN, {"login": acme.editor.user.email, "password": PASSWORD}).status_code == 403


@pytest.mark.parametrize("path", ["/account/sessions/", "/account/logout/", "/account/password/change/"])
def test_a_signed_in_form_needs_its_token_too(acme, path):
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = signed_in(acme.owner).cookies
    assert strict.post(path, {"end": "others"}).status_code == 403


def test_the_cookie_is_closed_to_scripts_and_other_sites(acme):
    cookie = signed_in(acme.editor).cookies[django_settings.SESSION_COOKIE_NAME]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert cookie["path"] == "/"


def test_with_https_the_cookie_has_the_host_prefix(repository):
    import json
    import os
    import subprocess
    import sys

    code = (
        "import os, json; os.environ['DJANGO_SETTINGS_MODULE'] = 'orkestra.settings'; "
        "from django.conf import settings as s; "
        "print(json.dumps([s.SESSION_COOKIE_NAME, s.CSRF_COOKIE_NAME, s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE]))"
    )
    environment = os.environ | {"ORKESTRA_PUBLIC_URL": "https://orkestra.example"}
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=repository, env=environment, capture_output=True, check=True
    )
    assert json.loads(found.stdout) == ["__Host-orkestra", "__Host-orkestra-csrf", True, True]


CHANGES = {}


def change(function):
    CHANGES[function.__name__] = function
    return function


@change
def password_changed(company):
    new = "another long horse battery"
    page = signed_in(company.editor)
    body = {"oldpassword": PASSWORD, "password1": new, "password2": new}
    assert page.post("/account/password/change/", body).status_code == 302
    assert is_in(page, company)


@change
def person_switched_off(company):
    User.objects.filter(pk=company.editor.user_id).update(is_active=False)


@change
def member_deactivated(company):
    from tests.clients import Api

    assert Api().as_(company.owner).delete(f"/api/v1/members/{company.editor.pk}").status_code == 204


@change
def tenant_suspended(company):
    call_command("suspend_tenant", company.slug, reason="An exercise of the test.", stdout=StringIO())
    with as_system(company.id):
        assert Entry.objects.filter(action="tenant.suspended").count() == 1


@pytest.mark.parametrize("name", CHANGES)
def test_what_changes_is_in_force_at_the_next_request_at_every_door(acme, name):
    page, tokens = signed_in(acme.editor), pair(acme.editor, acme).json()
    bearer = door(tokens["access"])
    assert is_in(page, acme)
    assert bearer.get("/api/v1/forms").status_code == 200
    CHANGES[name](acme)
    assert not is_in(page, acme)
    assert bearer.get("/api/v1/forms").status_code == 401
    assert APIClient().post("/api/v1/auth/refresh", {"refresh": tokens["refresh"]}).status_code == 401
    assert pair(acme.editor, acme).status_code == 401
    if name == "tenant_suspended":
        call_command("suspend_tenant", acme.slug, resume=True, reason="The exercise is over.", stdout=StringIO())
        assert pair(acme.editor, acme).status_code == 200
        with as_system(acme.id):
            assert Entry.objects.get(action="tenant.resumed").target_id == acme.id


@pytest.mark.parametrize("name", ["person_switched_off", "tenant_suspended"])
def test_keys_are_closed_with_their_person_and_tenant(api, acme, name):
    second = acme.member("second")
    with as_system(acme.id):
        Member.objects.filter(pk=second.pk).update(role="owner")
    acme.editor = second
    found = door(make(api, _again(acme, second)).json()["key"])
    assert found.get("/api/v1/forms").status_code == 200
    CHANGES[name](acme)
    assert found.get("/api/v1/forms").status_code == 401


def _again(company, member):
    with as_system(company.id):
        return Member.objects.select_related("user", "tenant").get(pk=member.pk)


def test_another_role_counts_in_an_open_page_and_token(api, acme):
    page, tokens = signed_in(acme.editor), pair(acme.editor, acme).json()
    bearer, settings = door(tokens["access"]), acme.url("settings/members/")
    assert page.get(settings).status_code == bearer.get("/api/v1/audit/entries").status_code == 403
    for role, status in (("owner", 200), ("viewer", 403)):
        api.as_(acme.owner).patch(f"/api/v1/members/{acme.editor.pk}", {"role": role})
        assert page.get(settings).status_code == bearer.get("/api/v1/audit/entries").status_code == status


def test_with_a_tenant_bound_the_sessions_of_others_are_not_there(acme, globex):
    signed_in(acme.editor)
    with as_system(globex.id):
        assert not BrowserSession.objects.filter(user_id=acme.editor.user_id).exists()


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (FIREFOX, "Firefox on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/140.0 Safari/537.36 Edg/140.0", "Edge on Windows"),
        ("curl/8.5.0", "curl"),
        ("", "unknown device"),
        ("<script>alert(1)</script>", "unknown device"),
    ],
)
def test_a_device_is_named_in_plain_words(wall, agent, words):
    assert in_words(agent) == words


@pytest.mark.parametrize(
    ("password", "fits"),
    [("fourteen chars", False), ("fifteen charact", True), ("aaaaaaaaaaaaaaa", True), ("passwordpassword", True)],
)
def test_a_password_alone_has_fifteen_characters(acme, password, fits):
    page = signed_in(acme.editor)
    body = {"oldpassword": PASSWORD, "password1": password, "password2": password}
    assert (page.post("/account/password/change/", body).status_code == 302) is fits


@pytest.mark.parametrize(("password", "fits"), [("seven ch", True), ("seven c", False), ("password1", False)])
def test_beside_a_second_factor_eight_suffice_but_no_common_one(acme, password, fits):
    from tests.api.test_second_factor import set_up

    page = signed_in(acme.editor)
    set_up(acme.editor.user)
    body = {"oldpassword": PASSWORD, "password1": password, "password2": password}
    assert (page.post("/account/password/change/", body).status_code == 302) is fits


def test_pages_let_a_password_manager_fill_and_a_person_paste(wall, repository):
    for path in (repository / "templates").rglob("*.html"):
        assert "onpaste" not in path.read_text()
    text = Client().get(LOGIN).content.decode()
    assert 'autocomplete="username"' in text
    assert 'autocomplete="current-password"' in text


def test_ended_and_old_sessions_leave_the_table(acme):
    from apps.accounts import limits

    client = signed_in(acme.editor)
    key = client.session.session_key
    with database.superuser() as connection:
        connection.execute(
            "UPDATE accounts_browsersession SET expire_date = now() - interval '1 s' WHERE session_key = %s",
            [stored_key(key)],
        )
    limits.forget_old()
    assert not BrowserSession.objects.filter(session_key=stored_key(key)).exists()
