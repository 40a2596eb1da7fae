"""A provider that answers for somebody who went away hours ago opens pages, and nothing dangerous."""

from __future__ import annotations

import time
from urllib.parse import urlsplit

import pytest
from django.test import Client

from apps.accounts.sso import actions
from apps.accounts.sso.models import SsoDomain
from apps.tenants.context import as_system
from tests.sso import come, connect, known_as, leave, prove

HOURS = 8 * 3600


@pytest.fixture
def connection(acme, idp):
    """The company's provider, whose second factor counts; its owner is linked as s-1."""
    prove(acme)
    made = connect(acme, idp, factor_trust="always")
    with as_system(acme.id):
        actions.link(made, subject="s-1", member=acme.owner)
    return made


def without(name):
    return lambda claims: {key: value for key, value in claims.items() if key != name}


def dare(client, acme):
    """A dangerous act; where its answer leads."""
    return client.post(acme.url("settings/sso/"), {"domain": "more.example"})["Location"]


def was_done(acme):
    with as_system(acme.id):
        return SsoDomain.objects.filter(domain="more.example").exists()


OLD = {
    "hours ago": lambda now: now - HOURS,
    "just too long ago": lambda now: now - 310,
    "in an hour": lambda now: now + 3600,
    "at no time": lambda now: "yesterday",
    "at a moment beyond all clocks": lambda now: 10**18,
    "at a yes": lambda now: True,
}


@pytest.mark.parametrize("moment", OLD.values(), ids=OLD)
def test_what_the_provider_saw_is_not_called_fresh(acme, connection, idp, moment):
    client = Client()
    assert come(client, connection, idp, "s-1", auth_time=moment(int(time.time())))["Location"] == acme.url()
    assert client.get(acme.url()).status_code == 200
    assert dare(client, acme).startswith(f"/account/sso/{connection.pk}/?again=1")
    assert not was_done(acme)


def test_a_provider_that_does_not_say_when_is_asked_again(acme, connection, idp):
    client, idp.twist = Client(), without("auth_time")
    idp.userinfo = {"auth_time": int(time.time()), **known_as(acme.owner)}  # nobody signed this
    come(client, connection, idp, "s-1")
    assert dare(client, acme).startswith(f"/account/sso/{connection.pk}/?again=1")
    assert not was_done(acme)


def test_saying_that_it_is_me_makes_an_old_sign_in_no_younger(acme, idp):
    prove(acme)
    made, client = connect(acme, idp, factor_trust="always"), Client()
    come(client, made, idp, "s-1", **known_as(acme.owner), auth_time=int(time.time()) - HOURS)
    assert client.post("/account/sso/link/")["Location"] == acme.url()
    assert dare(client, acme).startswith(f"/account/sso/{made.pk}/?again=1")
    assert not was_done(acme)


def test_whoever_just_signed_in_at_the_provider_is_not_asked_again(acme, connection, idp):
    client = Client()
    come(client, connection, idp, "s-1", auth_time=int(time.time()) + 20)  # its clock is ahead
    assert dare(client, acme) == acme.url("settings/sso/")
    assert was_done(acme)


def test_after_the_question_an_old_sign_in_passes(acme, connection, idp):
    client = Client()
    come(client, connection, idp, "s-1", auth_time=int(time.time()) - HOURS)
    url = leave(client, connection, f"?{urlsplit(dare(client, acme)).query}")
    assert client.get(idp.agrees(url, "s-1"))["Location"] == "/account/again/"
    assert dare(client, acme) == acme.url("settings/sso/")
    assert was_done(acme)
