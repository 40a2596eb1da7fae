"""Whoever guesses at an account from many places closes it for strangers, never for the person where they are known."""

from __future__ import annotations

import time

import pytest
import time_machine
from django.conf import settings
from django.test import Client
from rest_framework.test import APIClient

from apps.accounts.actions import end_families
from apps.accounts.sso import actions as sso
from apps.tenants.context import as_system
from tests.api.test_second_factor import code_of, set_up
from tests.attack.test_dangerous_acts import age
from tests.attack.test_guessing import LOGIN, by_page, by_token, strangers_guess
from tests.cast import PASSWORD
from tests.sso import come, connect, prove

COOKIE = settings.BROWSER_COOKIE_NAME
HOME, ELSEWHERE = "198.51.100.9", "198.51.100.77"
ANOTHER = "another long horse battery"


def signs_in(client, member, password=PASSWORD, address=HOME):
    return client.post(LOGIN, {"login": member.email, "password": password}, REMOTE_ADDR=address)


def known(member):
    """A browser in which this person signed in once and is not any more."""
    client = Client()
    assert signs_in(client, member).status_code == 302
    client.cookies.pop(settings.SESSION_COOKIE_NAME)
    return client


def with_cookie(text):
    client = Client()
    client.cookies[COOKIE] = text
    return client


def test_their_browser_lets_them_in_wherever_it_is(acme):
    client = known(acme.editor)
    assert 429 in strangers_guess(acme.editor)
    assert signs_in(client, acme.editor, address=ELSEWHERE).status_code == 302


def test_an_open_session_is_asked_again_and_answers(acme):
    client = Client()
    signs_in(client, acme.editor)
    del client.cookies[COOKIE]
    strangers_guess(acme.editor)
    age(client, 3600)
    answer = client.post("/account/reauthenticate/", {"password": PASSWORD}, REMOTE_ADDR=ELSEWHERE)
    assert answer.status_code == 302


def test_a_program_gets_in_where_a_token_of_theirs_is_alive_and_nowhere_else(acme):
    assert by_token(acme.editor, PASSWORD, REMOTE_ADDR=HOME).status_code == 200
    strangers_guess(acme.editor, by_token)
    assert by_token(acme.editor, PASSWORD, REMOTE_ADDR=HOME).status_code == 200
    assert by_token(acme.editor, PASSWORD, REMOTE_ADDR=ELSEWHERE).status_code == 429
    end_families(acme.editor.user_id)
    assert by_token(acme.editor, PASSWORD, REMOTE_ADDR=HOME).status_code == 429


def test_a_network_of_the_new_kind_is_one_address(acme):
    assert by_token(acme.editor, PASSWORD, REMOTE_ADDR="2001:db8:1:2::3").status_code == 200
    strangers_guess(acme.editor, by_token)
    assert by_token(acme.editor, PASSWORD, REMOTE_ADDR="2001:db8:1:2::4").status_code == 200


def test_a_browser_of_somebody_else_is_a_strangers(acme):
    client = known(acme.owner)
    strangers_guess(acme.editor)
    assert signs_in(client, acme.editor).status_code == 429


def test_two_people_of_one_browser_are_both_known(acme):
    client = known(acme.editor)
    signs_in(client, acme.owner)
    client.cookies.pop(settings.SESSION_COOKIE_NAME)
    strangers_guess(acme.editor)
    strangers_guess(acme.owner)
    assert signs_in(client, acme.editor).status_code == 302


@pytest.mark.parametrize("text", ["", ".", "x", "x.y", "é.é", "x" + ".a" * 500, "{browser}.", ".{mark}", "y.{mark}"])
def test_a_cookie_that_is_made_up_is_a_strangers(acme, text):
    browser, mark = known(acme.editor).cookies[COOKIE].value.split(".")
    strangers_guess(acme.editor)
    assert signs_in(with_cookie(text.format(browser=browser, mark=mark)), acme.editor).status_code == 429


def test_another_password_makes_every_browser_a_strangers_but_the_one_that_sets_it(acme):
    other, client = known(acme.editor), Client()
    signs_in(client, acme.editor)
    sent = {"oldpassword": PASSWORD, "password1": ANOTHER, "password2": ANOTHER}
    assert client.post("/account/password/change/", sent).status_code == 302
    client.cookies.pop(settings.SESSION_COOKIE_NAME)
    strangers_guess(acme.editor)
    assert signs_in(other, acme.editor, ANOTHER).status_code == 429
    assert signs_in(client, acme.editor, ANOTHER).status_code == 302


def test_whoever_has_such_a_browser_has_a_budget_too_and_spends_no_other(acme):
    value = known(acme.editor).cookies[COOKIE].value
    answers = [
        signs_in(with_cookie(value), acme.editor, f"wrong {n}", f"203.0.113.{n % 12}").status_code for n in range(24)
    ]
    assert answers == [200] * 20 + [429] * 4
    assert signs_in(with_cookie(value), acme.editor).status_code == 429
    assert by_page(acme.editor, PASSWORD, REMOTE_ADDR=HOME).status_code == 302


def test_a_known_browser_still_stops_after_five_at_one_address(acme):
    client = known(acme.editor)
    answers = [signs_in(client, acme.editor, f"wrong {n}").status_code for n in range(6)]
    assert answers == [200] * 5 + [429]


def test_the_password_alone_makes_no_browser_known_where_there_is_a_second_factor(acme):
    secret, _codes = set_up(acme.editor.user)
    client = Client()
    assert COOKIE not in signs_in(client, acme.editor).cookies
    with time_machine.travel((int(time.time()) // 30 + 4) * 30 + 1, tick=False):
        assert COOKIE in client.post("/account/2fa/authenticate/", {"code": code_of(secret)}).cookies


def test_what_a_provider_opens_makes_nobody_known(acme, idp):
    prove(acme)
    connection = connect(acme, idp)
    with as_system(acme.id):
        sso.link(connection, subject="s-1", member=acme.editor)
    client = Client()
    come(client, connection, idp, "s-1")
    assert client.get(acme.url()).status_code == 200
    assert COOKIE not in client.cookies
    again = client.post("/account/reauthenticate/", {"password": PASSWORD})
    assert again.status_code == 404


def test_a_wrong_password_sets_nothing_and_says_the_same_of_everybody(acme):
    """With a cookie of one's own, too: whose address somebody typed shows in nothing."""
    client = known(acme.owner)
    answers = [
        client.post(LOGIN, {"login": email, "password": "wrong horse"})
        for email in (acme.editor.email, f"nobody@{acme.slug}.example")
    ]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert not any(COOKIE in answer.cookies for answer in answers)


def test_the_cookie_is_for_the_server_alone_and_names_nobody(acme):
    given = known(acme.editor).cookies[COOKIE]
    assert (given["httponly"], given["samesite"], given["path"], given["domain"]) == (True, "Lax", "/", "")
    assert given["max-age"] == 365 * 86400
    assert not any(one in given.value for one in (str(acme.editor.user_id), acme.editor.user_id.hex, acme.slug))


def test_it_opens_nothing(acme):
    assert known(acme.editor).get(acme.url()).status_code == 302
    assert APIClient().get("/api/v1/me", headers={"Cookie": f"{COOKIE}=x"}).status_code == 401
