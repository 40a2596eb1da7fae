"""Whoever has an account begins a further organisation by themselves, where signing up is open; it is theirs and apart."""

from __future__ import annotations

import pytest
from django.test import Client

from apps.accounts import limits
from apps.accounts.models import Member
from apps.audit.models import Entry
from apps.billing.models import Subscription
from apps.tenants.context import as_system
from tests.api.test_signing_up import tenants
from tests.clients import browser

ASK = "/account/organisation/"
pytestmark = pytest.mark.database


@pytest.fixture(autouse=True)
def _open(settings):
    settings.SIGN_UP_IS_OPEN = True


@pytest.fixture
def slug(acme):
    return f"second-{acme.slug}"


def typed(slug, **other):
    return {"organisation": "Second Works", "slug": slug, "timezone": "Asia/Tokyo"} | other


def test_it_is_on_trial_and_theirs_alone_and_their_first_is_as_it_was(acme, slug):
    door = browser(acme.editor)
    assert ASK in door.get(acme.url()).content.decode()
    answer = door.post(ASK, typed(slug))
    assert (answer.status_code, answer["Location"]) == (302, f"/t/{slug}/")
    page = door.get(f"/t/{slug}/").content.decode()
    assert acme.url() in page
    [(tenant,)] = tenants(slug)
    with as_system(tenant):
        assert Member.objects.values_list("user_id", "role").get() == (acme.editor.user_id, "owner")
        assert Subscription.objects.get().trial_ends_at is not None
        first = Entry.objects.order_by("time").first()
        assert (first.action, first.actor_type, first.actor_id) == ("tenant.created", "user", acme.editor.user_id)
        assert first.document["credential"] == "session"
    with as_system(acme.id):
        assert Member.objects.get(user=acme.editor.user_id).role == "member"


def test_what_was_typed_stays_where_the_address_is_taken_or_cannot_be_one(acme, globex, slug):
    door = browser(acme.editor)
    for wrong, said in ((globex.slug, "taken already"), ("Not an address", "2 to 63 lower-case letters")):
        page = door.post(ASK, typed(wrong))
        text = page.content.decode()
        assert (page.status_code, said in text, "Second Works" in text) == (422, True, True)
    assert tenants(slug) == []


def test_nobody_is_let_in_without_a_session_or_where_it_is_closed(settings, acme, slug):
    assert Client().get(ASK)["Location"].startswith("/account/login/")
    assert Client().post(ASK, typed(slug)).status_code == 401
    settings.SIGN_UP_IS_OPEN = False
    door = browser(acme.editor)
    assert ASK not in door.get(acme.url()).content.decode()
    assert door.get(ASK).status_code == door.post(ASK, typed(slug)).status_code == 404
    assert tenants(slug) == []


def test_so_many_a_day_are_enough_and_a_taken_address_counts_as_none(acme, slug, monkeypatch):
    monkeypatch.setattr(limits, "ORGANISATIONS_OF_PERSON", limits.Limit("organisation.account", 2, 86400))
    door = browser(acme.editor)
    assert [door.post(ASK, typed(acme.slug)).status_code for _ in range(4)] == [422] * 4
    assert [door.post(ASK, typed(f"{slug}-{n}")).status_code for n in range(3)] == [302, 302, 429]
    assert browser(acme.viewer).post(ASK, typed(f"{slug}-4")).status_code == 302
