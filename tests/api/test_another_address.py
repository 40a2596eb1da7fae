"""Another e-mail address: a link that is mailed there makes it somebody's, once, where they are signed in, and no provider is passed by."""

from __future__ import annotations

import re
import time
from datetime import timedelta

import pytest
import time_machine
from django.test import Client

from apps.accounts import limits
from apps.accounts.models import Member, User
from apps.accounts.sso.models import SsoDomain
from apps.audit.models import Entry
from apps.comms.models import OutboxMessage
from apps.tenants import clock
from apps.tenants.context import NOBODY, as_system, tenant_context
from apps.tenants.models import PLATFORM_TENANT_ID, Tenant
from tests import identity_provider
from tests.api.test_signing_in import link_mailed_to
from tests.api.test_signing_up import link_to
from tests.cast import PASSWORD
from tests.clients import browser
from tests.database import run_apart
from tests.sso import connect, prove

PAGE = "/account/email/"


@pytest.fixture
def new(acme):
    """An address that nobody had before."""
    return f"other@n{acme.slug}.example"


def mails_to(email):
    """Templates and texts, newest first, after the worker has looked."""
    run_apart("accounts.mail_address_link")
    with as_system(PLATFORM_TENANT_ID):
        return [(mail.template, mail.body) for mail in OutboxMessage.objects.filter(to=email).order_by("-queued_at")]


def link_from(client, email):
    """The link that this browser's person finds in the mailbox of the address they asked for."""
    assert client.post(PAGE, {"email": email}).status_code == 302
    return re.search(r"(/account/email/\S+/)", mails_to(email)[0][1])[1]


def address_of(member):
    with tenant_context(NOBODY):
        user = User.objects.get(pk=member.user_id)
        assert list(user.emailaddress_set.values_list("email", flat=True)) in ([], [user.email])
        return user.email


def test_the_link_makes_the_address_theirs_and_ends_what_is_open_elsewhere(api, acme, new):
    client, elsewhere, old = browser(acme.editor), browser(acme.editor), acme.editor.email
    body = {"email": old, "password": PASSWORD, "tenant": acme.slug}
    pair = api.post("/api/v1/auth/token", body).json()
    link = link_from(client, new.upper().lower())
    assert address_of(acme.editor) == old
    assert new in client.get(link).content.decode()
    assert address_of(acme.editor) == old
    assert client.post(link).status_code == 302
    assert address_of(acme.editor) == new
    assert client.get(acme.url()).status_code == 200
    assert elsewhere.get(acme.url()).status_code == 302
    assert api.post("/api/v1/auth/refresh", {"refresh": pair["refresh"]}).status_code == 401
    assert api.get("/api/v1/forms", headers={"Authorization": f"Bearer {pair['access']}"}).status_code == 401
    for email, status in ((old, 401), (new, 200)):
        assert api.post("/api/v1/auth/token", body | {"email": email}).status_code == status


def test_the_old_address_is_told_twice_and_the_log_keeps_no_address(acme, new):
    client, old = browser(acme.editor), acme.editor.email
    client.post(link_from(client, new))
    assert [template for template, _text in mails_to(old)] == ["account/mail/notice", "account/mail/address_asked"]
    with as_system(acme.id):
        acts = list(Entry.objects.filter(action__startswith="address.").order_by("time"))
    assert [(entry.action, entry.actor_id) for entry in acts] == [("address.asked", acme.editor.pk), ("address.changed", acme.editor.pk)]  # fmt: skip
    for entry in acts:
        assert new.encode() not in bytes(entry.body)
        assert old.encode() not in bytes(entry.body)


def test_an_address_that_is_somebodys_is_answered_the_same_and_mailed_no_link(acme, globex, new):
    client = browser(acme.editor)
    pages = []
    for email in (globex.editor.email, new):
        answer = client.post(PAGE, {"email": email}, follow=True)
        pages.append(re.sub(r'value="\w{64}"|nonce="[^"]*"', "", answer.content.decode().replace(email, "")))
    assert pages[0] == pages[1]
    assert [template for template, _text in mails_to(globex.editor.email)] == ["account/mail/address_known"]
    assert [template for template, _text in mails_to(new)] == ["account/mail/address_link"]


def test_only_who_asked_can_use_the_link_and_only_signed_in(acme, new):
    client = browser(acme.editor)
    link = link_from(client, new)
    other = browser(acme.reviewer)
    for method in (other.get, other.post):
        answer = method(link)
        assert answer.status_code == 404
        assert new not in answer.content.decode()
    assert Client().post(link).status_code in {302, 401}
    assert [address_of(one) == new for one in (acme.editor, acme.reviewer)] == [False, False]
    assert client.post(link).status_code == 302


def test_a_link_works_once_for_a_day_and_until_the_next_one(acme, new):
    client, now = browser(acme.editor), clock.now()
    first, second = link_from(client, new), link_from(client, f"x{new}")
    assert client.post(first).status_code == 404
    with time_machine.travel(now + timedelta(hours=25), tick=False):
        late = browser(acme.editor)
        assert late.post(second).status_code == 404
    client = browser(acme.editor)
    assert client.post(second).status_code == 302
    assert client.post(second).status_code == 404
    assert address_of(acme.editor) == f"x{new}"


def test_an_old_sign_in_is_asked_again(acme, new):
    client = browser(acme.editor)
    session = client.session
    for record in session["account_authentication_methods"]:
        record["at"] = time.time() - 3600
    session.save()
    assert client.post(PAGE, {"email": new})["Location"].startswith("/account/reauthenticate/")
    assert mails_to(new) == []


def test_an_address_that_became_somebodys_meanwhile_is_refused(acme, new, settings):
    client = browser(acme.editor)
    link = link_from(client, new)
    other = browser(acme.reviewer)
    assert other.post(link_from(other, new)).status_code == 302
    answer = client.post(link)
    assert answer.status_code == 422
    assert "signs in by this address already" in answer.content.decode()
    assert address_of(acme.editor) == acme.editor.email
    assert browser(acme.editor).get(acme.url()).status_code == 200


def test_ones_own_address_and_none_are_refused(acme):
    client = browser(acme.editor)
    assert "your address already" in client.post(PAGE, {"email": acme.editor.email.upper()}).content.decode()
    assert client.post(PAGE, {"email": "nobody"}).status_code == 422


def test_a_reset_link_of_the_old_address_opens_nothing_any_more(acme, new):
    Client().post("/account/password/reset/", {"email": acme.editor.email})
    reset = link_mailed_to(acme.editor.user)
    client = browser(acme.editor)
    client.post(link_from(client, new))
    assert "password1" not in Client().get(reset, follow=True).content.decode()


def test_a_link_for_signing_up_by_the_same_address_ends(acme, new, settings):
    settings.SIGN_UP_IS_OPEN = True
    sign_up = link_to(new)
    client = browser(acme.editor)
    client.post(link_from(client, new))
    assert Client().get(sign_up).status_code == 404


@pytest.mark.parametrize("when", ["asked", "opened"])
@pytest.mark.parametrize(
    "way", ["only the provider", "shut out there", "a proven domain", "proven and no provider yet"]
)
def test_no_address_leads_around_a_provider_or_into_the_reach_of_one(acme, globex, new, settings, when, way):
    settings.EGRESS_LOOPBACK = True
    client = browser(acme.editor)
    link = link_from(client, new) if when == "opened" else ""
    domain = new.partition("@")[2]
    if way in {"only the provider", "shut out there"}:
        with as_system(acme.id):
            Tenant.objects.filter(pk=acme.id).update(is_sso_only=True)
            if way == "shut out there":
                Member.objects.filter(pk=acme.editor.pk).update(is_active=False)
    elif way == "a proven domain":  # of a tenant in which they are nobody
        with identity_provider.serving() as idp:
            connect(globex, idp)
            prove(globex, domain)
    else:
        with as_system(acme.id):
            SsoDomain.objects.create(domain=domain, verified_at=clock.now())
    answer = client.post(link or PAGE, {"email": new})
    assert answer.status_code == 422
    assert "own provider" in answer.content.decode() or "provider alone" in answer.content.decode()
    assert address_of(acme.editor) == acme.editor.email
    assert link or mails_to(new) == []


@pytest.mark.parametrize("by", ["person", "address"])
def test_asking_again_and_again_ends(acme, monkeypatch, new, by):
    name = {"person": "CHANGES_OF_ADDRESS", "address": "CHANGES_TO_ADDRESS"}[by]
    limit = getattr(limits, name)
    monkeypatch.setattr(limits, name, limits.Limit(limit.name, 2, limit.seconds))
    askers = [acme.editor] * 4 if by == "person" else [acme.owner, acme.editor, acme.reviewer, acme.viewer]
    emails = [f"{number}{new}" for number in range(4)] if by == "person" else [new] * 4
    answers = [browser(who).post(PAGE, {"email": email}).status_code for who, email in zip(askers, emails, strict=True)]
    assert answers == [302, 302, 429, 429]
