"""Signing up where it is open: a link proves the address, and makes a person with an organisation on trial, once."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
import time_machine
from django.test import Client

from apps.accounts import limits
from apps.accounts.models import BrowserSession, Kept, Member, User
from apps.accounts.sessions import stored_key
from apps.audit.models import Entry
from apps.billing.models import Subscription
from apps.comms.models import OutboxMessage
from apps.tenants import clock
from apps.tenants.context import NOBODY, as_system, tenant_context
from apps.tenants.models import PLATFORM_TENANT_ID, Tenant
from tests.cast import PASSWORD
from tests.clients import browser
from tests.database import run_apart, superuser

ASK = "/account/signup/"


@pytest.fixture(autouse=True)
def _open(settings):
    settings.SIGN_UP_IS_OPEN = True


def typed(address, **other):
    """What a founder writes behind the link."""
    fields = {"name": "Nora New", "password": PASSWORD, "organisation": "New Works", "slug": address, "timezone": "Asia/Tokyo"}  # fmt: skip
    return fields | other


def mails_to(email):
    """Subjects and texts, newest first, after the worker has looked."""
    run_apart("accounts.mail_sign_up")
    with as_system(PLATFORM_TENANT_ID):
        return [(mail.subject, mail.body) for mail in OutboxMessage.objects.filter(to=email).order_by("-queued_at")]


def link_to(email):
    """The link that a stranger finds in their mail."""
    assert Client().post(ASK, {"email": email}).status_code == 302
    return re.search(r"(/account/signup/\S+/)", mails_to(email.lower())[0][1])[1]


@pytest.fixture
def new(acme):
    """An address, and a free address of pages, that nobody had before."""
    return f"nora@n{acme.slug}.example", f"n{acme.slug}"


def people(email):
    with tenant_context(NOBODY):
        return list(User.objects.filter(email=email))


def tenants(slug):
    with superuser() as connection:
        return connection.execute("SELECT id FROM tenants_tenant WHERE slug = %s", [slug]).fetchall()


def test_whoever_opens_the_link_owns_an_organisation_on_trial_and_is_signed_in(client_of, new):
    email, slug = new
    link = link_to(email.upper())
    assert email in client_of.get(link).content.decode()
    answer = client_of.post(link, typed(slug))
    assert (answer.status_code, answer["Location"]) == (302, f"/t/{slug}/")
    assert client_of.get(f"/t/{slug}/").status_code == 200
    [person] = people(email)
    assert (person.name, person.check_password(PASSWORD), person.is_platform_admin) == ("Nora New", True, False)
    assert list(person.emailaddress_set.values_list("email", "verified", "primary")) == [(email, True, True)]
    [(tenant,)] = tenants(slug)
    with as_system(tenant):
        assert Member.objects.get().role == "owner"
        assert Tenant.objects.get(pk=tenant).timezone == "Asia/Tokyo"
        left = Subscription.objects.get().trial_ends_at - clock.now()
        assert timedelta(days=29) < left <= timedelta(days=30)


def test_the_log_says_that_the_person_made_it(client_of, new):
    email, slug = new
    client_of.post(link_to(email), typed(slug))
    [person], [(tenant,)] = people(email), tenants(slug)
    with as_system(tenant):
        acts = {entry.action: entry for entry in Entry.objects.all()}
    for action in ("tenant.created", "plan.started", "member.added"):
        assert (acts[action].actor_type, acts[action].actor_id) == ("user", person.pk), action
        assert b'"credential":"sign_up"' in bytes(acts[action].body)
    assert "session.opened" in acts
    assert not any(email.encode() in bytes(entry.body) for entry in acts.values())


def test_the_session_is_a_new_one(client_of, new):
    email, slug = new
    link = link_to(email)
    client_of.get("/account/sso/")
    client_of.post("/account/sso/", {"email": "x@y.example"})
    before = client_of.session.session_key
    client_of.post(link, typed(slug))
    assert client_of.session.session_key != before
    assert "orkestra_sso_hint" not in client_of.session  # nothing of the session before came along
    with tenant_context(NOBODY):
        assert not BrowserSession.objects.filter(session_key=stored_key(before)).exists()


def test_somebody_who_is_there_is_mailed_that_they_are(client_of, acme):
    assert client_of.post(ASK, {"email": acme.editor.email}, follow=True).status_code == 200
    [(subject, text)] = mails_to(acme.editor.email)
    assert "have an Orkestra account" in subject
    assert "/account/login/" in text
    assert "/account/signup/" not in text


def test_the_links_secret_is_nowhere_in_clear(new):
    email, _slug = new
    word = link_to(email).split("/")[3]
    with tenant_context(NOBODY):
        kept = list(Kept.objects.values_list("key", "value"))
    assert kept
    for key, value in kept:
        assert word not in value
        assert word[32:] not in key + value
        assert email not in value


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"password": "tiny words"}, "at least 15 characters"),
        ({"slug": "ACME works"}, "single hyphens"),
        ({"slug": "a--b"}, "single hyphens"),
        ({"slug": "-a"}, "single hyphens"),
        ({"slug": "a"}, "single hyphens"),
        ({"slug": "x" * 64}, "at most 63"),
        ({"slug": "security"}, "taken already"),
        ({"slug": "platform"}, "taken already"),
        ({"slug": "", "organisation": "Orkestra"}, "taken already"),
        ({"slug": "", "organisation": "組織"}, "single hyphens"),
        ({"timezone": "Mars/Phobos"}, "Time zone"),
        ({"organisation": " "}, "required"),
    ],
)
def test_what_does_not_hold_is_said_and_nothing_else_is_lost(client_of, new, wrong, said):
    email, slug = new
    link = link_to(email)
    answer = client_of.post(link, typed(slug, **wrong))
    page = answer.content.decode()
    assert answer.status_code == 422
    assert said in page
    assert "Nora New" in page
    assert "tiny words" not in page
    assert PASSWORD not in page
    assert people(email) == []
    assert client_of.post(link, typed(slug)).status_code == 302


def test_an_address_that_is_taken_loses_nothing_and_leaves_the_link_good(client_of, acme, new):
    email, slug = new
    link = link_to(email)
    answer = client_of.post(link, typed(acme.slug))
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "taken already" in page
    assert all(word in page for word in ("Nora New", "New Works", acme.slug, 'value="Asia/Tokyo" selected'))
    assert people(email) == []
    assert client_of.post(link, typed(slug)).status_code == 302


def test_an_address_is_suggested_from_the_name(client_of, new):
    email, slug = new
    link = link_to(email)
    answer = client_of.post(link, typed("", organisation=f"Ünï  {slug}", password="tiny words"))
    assert f'value="uni-{slug}"' in answer.content.decode()
    answer = client_of.post(link, typed("", organisation=f"Ünï  {slug}"))
    assert answer["Location"] == f"/t/uni-{slug}/"


def test_a_link_works_once_and_a_newer_one_ends_it(client_of, new):
    email, slug = new
    old, newer = link_to(email), link_to(email)
    for method in (Client().get, Client().post):
        assert method(old).status_code == 404
    assert client_of.post(newer, typed(slug)).status_code == 302
    assert Client().get(newer).status_code == 404
    assert Client().post(newer, typed(f"{slug}-2")).status_code == 404
    assert tenants(f"{slug}-2") == []


def test_a_link_is_too_old_after_a_day(new):
    email, slug = new
    link, now = link_to(email), clock.now()
    with time_machine.travel(now + timedelta(hours=23, minutes=59), tick=False):
        assert Client().get(link).status_code == 200
    with time_machine.travel(now + timedelta(hours=24, seconds=1), tick=False):
        assert Client().get(link).status_code == 404
        assert Client().post(link, typed(slug)).status_code == 404
    assert people(email) == []


def test_a_link_for_one_address_proves_no_other(new):
    email, slug = new
    mine, other = link_to(email), link_to(f"other-{email}")
    for made in (mine[:-8] + "AAAAAAA/", mine[:16] + "0" * 32 + mine[48:], mine[:48] + other[48:]):
        assert Client().post(made, typed(slug, email=f"third-{email}")).status_code == 404
    assert Client().post(mine, typed(slug, email=f"third-{email}")).status_code == 302
    assert people(f"third-{email}") == []
    assert len(people(email)) == 1


def test_whoever_is_signed_in_as_somebody_else_signs_out_first(acme, new):
    email, slug = new
    link, door = link_to(email), browser(acme.editor)
    assert "Sign out first" in door.get(link).content.decode()
    assert door.post(link, typed(slug)).status_code == 409
    assert people(email) == []
    assert tenants(slug) == []
    assert Client().post(link, typed(slug)).status_code == 302


def test_a_link_ends_where_the_address_came_in_by_another_way(api, new, acme):
    email, slug = new
    link = link_to(email)
    api.as_(acme.owner).post("/api/v1/invitations", {"email": email, "role": "viewer"})
    with as_system(acme.id):
        body = OutboxMessage.objects.filter(to=email).latest("queued_at").body
    Client().post(re.search(r"(/account/invitation/\S+/)", body)[1], {"name": "Nora", "password": PASSWORD})
    assert Client().get(link).status_code == 404
    assert Client().post(link, typed(slug)).status_code == 404


@pytest.mark.parametrize("path", ["", "sent/", "LINK"])
def test_where_it_is_closed_nothing_is_there(settings, new, path):
    email, slug = new
    link = link_to(email)
    settings.SIGN_UP_IS_OPEN = False
    place = link if path == "LINK" else ASK + path
    assert Client().get(place).status_code == 404
    assert Client().post(place, {"email": email, **typed(slug)}).status_code == 404
    assert people(email) == []
    assert len(mails_to(email)) == 1
    for page in ("/account/login/", "/"):
        assert ASK not in Client().get(page).content.decode()
    settings.SIGN_UP_IS_OPEN = True
    for page in ("/account/login/", "/"):
        assert ASK in Client().get(page).content.decode()


@pytest.mark.parametrize("redis", ["up", "away"])
@pytest.mark.parametrize("by", ["address", "network", "all"])
def test_asking_again_and_again_ends(settings, monkeypatch, new, by, redis):
    if redis == "away":
        gone = {"LOCATION": "unix:///nonexistent/valkey.sock"}
        settings.CACHES = {"default": settings.CACHES["default"] | gone}
    names = {"address": "SIGN_UPS_FOR_ADDRESS", "network": "SIGN_UPS_FROM_ADDRESS", "all": "SIGN_UPS_IN_ALL"}
    limit = getattr(limits, names[by])
    monkeypatch.setattr(limits, names[by], limits.Limit(limit.name, 3, limit.seconds))
    answers = []
    for number in range(5):
        email = new[0] if by == "address" else f"{number}-{new[0]}"
        network = "203.0.113.9" if by == "network" else f"203.0.113.{number}"
        answers.append(Client(REMOTE_ADDR=network).post(ASK, {"email": email}).status_code)
    assert answers == [302, 302, 302, 429, 429]


def test_looking_for_links_is_counted(wall):
    answers = [Client().get(f"{ASK}{'x' * 40}{number}/").status_code for number in range(130)]
    assert answers[0] == 404
    assert answers[-1] == 429
