"""What is good once is good once: of many who use the same thing at the same moment, through real doors, one gets in."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier
from typing import Any

import time_machine
from django.conf import settings as django_settings
from django.db import connections
from django.test import Client
from rest_framework.test import APIClient

from apps.accounts import actions
from apps.accounts.models import Kept, Member
from apps.accounts.sso.actions import link
from apps.audit.models import Entry
from apps.tenants.context import as_system
from tests import identity_provider
from tests.api.test_another_address import address_of, link_from
from tests.api.test_people import link_of
from tests.api.test_second_factor import code_of, set_up
from tests.api.test_signing_in import link_mailed_to
from tests.api.test_signing_up import link_to, people, tenants, typed
from tests.cast import PASSWORD, acting_as
from tests.clients import browser
from tests.sso import connect, leave

RACERS, ROUNDS = 5, 4
CODE = "/account/2fa/authenticate/"


def race(works: list[Callable[[], Any]]) -> list[Any]:
    """Let all go at once, each on a connection of its own; what they returned."""
    start = Barrier(len(works))

    def run(work: Callable[[], Any]) -> Any:
        start.wait()
        try:
            return work()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


def _status(ask: Callable[..., Any], *what: Any) -> int:
    return int(ask(*what).status_code)


def at_the_code(member: Member) -> Client:
    """A browser in which the password was right, and that is asked for a code."""
    client = Client()
    client.post("/account/login/", {"login": member.email, "password": PASSWORD})
    return client


def by_page(client: Client, code: str) -> Callable[[], bool]:
    return lambda: client.post(CODE, {"code": code}).status_code == 302


def by_token(member: Member, code: str) -> Callable[[], bool]:
    body = {"email": member.email, "password": PASSWORD, "otp": code}
    return lambda: APIClient().post("/api/v1/auth/token", body).status_code == 200


def winners(member: Member, code: str) -> int:
    """How many of the racers got in by this code; three by the page, two by the API."""
    pages = [by_page(at_the_code(member), code) for _racer in range(RACERS - 2)]
    return sum(race([*pages, by_token(member, code), by_token(member, code)]))


def test_a_recovery_code_lets_one_in(acme):
    _secret, codes = set_up(acme.editor.user)
    for code in codes[:ROUNDS]:
        assert winners(acme.editor, code) == 1
        _forget_guesses()


def test_a_code_of_the_app_lets_one_in(acme):
    secret, _codes = set_up(acme.editor.user)
    begin = (int(time.time()) // 30 + 4) * 30 + 1
    for number in range(ROUNDS):
        with time_machine.travel(begin + 60 * number, tick=False):
            assert winners(acme.editor, code_of(secret)) == 1
        _forget_guesses()


def _forget_guesses() -> None:
    Kept.objects.all().delete()


def test_an_invitation_makes_one_person_a_member_once(acme):
    for number in range(ROUNDS):
        email = f"new{number}@x.{acme.slug}.example"
        with acting_as(acme.owner):
            actions.invite(email=email, role="viewer", by=acme.owner)
        place = link_of(acme, email)
        sent = [{"name": f"Racer {n}", "password": f"{PASSWORD} {n}"} for n in range(RACERS)]
        answers = race([partial(_status, Client().post, place, body) for body in sent])
        assert answers.count(302) == 1, answers
        with as_system(acme.id):
            assert Member.objects.filter(user__email=email).count() == 1


def test_a_link_for_signing_up_makes_one_person_and_one_organisation(settings, acme):
    settings.SIGN_UP_IS_OPEN = True
    for number in range(ROUNDS):
        email, slugs = f"nora{number}@n{acme.slug}.example", [f"n{number}{n}{acme.slug}" for n in range(RACERS)]
        link = link_to(email)
        answers = race([partial(_status, Client().post, link, typed(slug)) for slug in slugs])
        assert sorted(answers) == [302, *[404] * (RACERS - 1)], answers
        assert len(people(email)) == 1
        assert sum(len(tenants(slug)) for slug in slugs) == 1
        _forget_guesses()


def test_a_link_for_another_address_changes_it_once(acme):
    for number in range(ROUNDS):
        browsers, email = [browser(acme.editor) for _racer in range(RACERS)], f"other{number}@n{acme.slug}.example"
        link = link_from(browsers[0], email)
        answers = race([partial(_status, client.post, link) for client in browsers])
        assert answers.count(302) == 1, answers
        assert set(answers) <= {302, 401, 404}  # to be told that one is signed out by now is no entry
        with as_system(acme.id):
            assert Entry.objects.filter(action="address.changed").count() == number + 1
        assert address_of(acme.editor) == email
        acme.editor.user.refresh_from_db()
        _forget_guesses()


def test_an_address_of_pages_is_one_organisation_s(settings, acme):
    settings.SIGN_UP_IS_OPEN = True
    for number in range(ROUNDS):
        emails, slug = [f"nora{number}{n}@n{acme.slug}.example" for n in range(RACERS)], f"n{number}{acme.slug}"
        links = [link_to(email) for email in emails]
        answers = race([partial(_status, Client().post, link, typed(slug)) for link in links])
        assert sorted(answers) == [302, *[422] * (RACERS - 1)], answers
        assert len(tenants(slug)) == sum(len(people(email)) for email in emails) == 1
        _forget_guesses()


def test_a_link_for_a_new_password_sets_one(acme):
    for _round in range(ROUNDS):
        Client().post("/account/password/reset/", {"email": acme.editor.email})
        place = link_mailed_to(acme.editor.user)
        browsers = [Client() for _racer in range(RACERS)]
        forms = [client.get(place, follow=True).request["PATH_INFO"] for client in browsers]
        wanted = [f"a horse of racer number {number}" for number in range(RACERS)]
        with as_system(acme.id):
            before = Entry.objects.filter(action="password.changed").count()
        answers = race(
            [
                partial(_status, client.post, form, {"password1": new, "password2": new})
                for client, form, new in zip(browsers, forms, wanted, strict=True)
            ]
        )
        assert answers.count(302) == 1, answers
        acme.editor.user.refresh_from_db()
        assert acme.editor.user.check_password(wanted[answers.index(302)])
        with as_system(acme.id):
            assert Entry.objects.filter(action="password.changed").count() == before + 1
        _forget_guesses()


class Generous(dict[str, Any]):
    """The codes of a provider that takes each as often as it comes."""

    def pop(self, key: str, default: Any = None) -> Any:  # type: ignore[override]
        return self.get(key, default)


def test_an_answer_of_a_provider_is_redeemed_once_even_where_the_provider_would_not_mind(acme, settings):
    settings.EGRESS_LOOPBACK = True
    with identity_provider.serving() as idp:
        idp.codes = Generous()
        connection = connect(acme, idp)
        with as_system(acme.id):
            link(connection, subject="s-1", member=acme.editor)
        for _round in range(ROUNDS):
            first = Client()
            back = idp.agrees(leave(first, connection), "s-1")
            racers = [_copy(first) for _racer in range(RACERS)]
            before = idp.asked.count("/token")
            answers = race([partial(_status, client.get, back) for client in racers])
            assert answers.count(302) == 1, answers
            assert idp.asked.count("/token") == before + 1
            opened = [c.get(acme.url()).status_code for c in racers]
            assert opened.count(200) == 1, opened


def _copy(client: Client) -> Client:
    """The same browser once more: another tab, or whoever stole its cookie."""
    made = Client()
    name = django_settings.SESSION_COOKIE_NAME
    made.cookies[name] = client.cookies[name].value
    return made
