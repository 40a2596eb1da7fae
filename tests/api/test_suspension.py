"""A Super Admin suspends a tenant and opens it again: with a reason, in the tenant's own log, at once and at every door."""

from __future__ import annotations

import hashlib
import time

import pytest
from django.test import Client

from apps.accounts import actions
from apps.accounts.models import Member
from apps.audit.models import Entry
from apps.comms.models import OutboxMessage
from apps.tenants.context import as_system
from apps.tenants.models import PLATFORM_TENANT_ID
from tests.api.test_people import invite, link_of, new
from tests.cast import PASSWORD, acting_as
from tests.forms import published, step

REASON = "Ticket 4711: the bill has not been paid."
NORA = {"name": "Nora New", "password": PASSWORD}


def place(tenant):
    return f"/admin/tenants/tenant/{tenant}/suspension/"


def press(browser, company, **more):
    return browser.post(place(company.id), {"typed": company.slug, "reason": REASON} | more)


@pytest.fixture
def doors(api, acme):
    """Each way in that somebody of the company has open, and a form that anyone may fill."""
    form = published(api, acme.editor, step("a", acme.reviewer))
    api.as_(acme.editor).patch(f"/api/v1/forms/{form}", {"filling": "public"})
    with acting_as(acme.owner):
        _row, key = actions.create_api_key(name="CI", scopes=["forms.read"], days=9, by=acme.owner)
    page, bearer, public = Client(), api.as_(acme.editor), f"/f/{acme.slug}/request/"
    page.post("/account/login/", {"login": acme.editor.email, "password": PASSWORD})
    return lambda: (
        page.get(acme.url()).status_code,
        bearer.get("/api/v1/forms").status_code,
        Client().get("/api/v1/forms", headers={"Authorization": f"Bearer {key}"}).status_code,
        Client().get(public).status_code,
    )


def test_a_suspended_tenant_is_shut_at_the_next_request_and_open_again_at_the_next(
    browser, browse, admin, acme, globex, doors
):
    assert doors() == (200, 200, 200, 200)
    asked = browser.get(place(acme.id)).content.decode()
    assert "4 active members" in asked
    assert press(browser, acme)["Location"] == "/admin/tenants/tenant/"
    assert doors() == (404, 401, 401, 404)
    assert "Open ACME again" in browser.get(place(acme.id)).content.decode()
    listed = browser.get("/admin/tenants/tenant/?q=" + acme.slug).content.decode()
    assert "Open again …" in listed
    assert press(browser, acme).status_code == 302
    assert doors() == (200, 200, 200, 200)
    with as_system(acme.id):
        entries = list(Entry.objects.filter(action__in=["tenant.suspended", "tenant.resumed"]).order_by("time"))
        mails = list(OutboxMessage.objects.filter(template__contains="mail/suspended"))
    assert [(one.action, one.actor_type, one.actor_id) for one in entries] == [
        ("tenant.suspended", "user", admin.pk),
        ("tenant.resumed", "user", admin.pk),
    ]
    assert entries[0].facts == {"reason_sha256": hashlib.sha256(REASON.encode()).hexdigest()}
    assert [(mail.to, REASON in mail.body) for mail in mails] == [(acme.owner.email, True)]
    shown = browse(acme.owner).get(acme.url("settings/audit-log/?action=tenant.suspended")).content.decode()
    assert "A Super Admin of Orkestra" in shown
    with as_system(globex.id):
        assert not Entry.objects.filter(action="tenant.suspended").exists()


def test_nobody_joins_a_suspended_tenant_by_an_invitation_until_it_is_open_again(
    api, browser, browse, client_of, acme, globex
):
    """Neither somebody new nor a person who is there already; the link says what one that has ended says."""
    for email in (new(acme), globex.editor.email):
        assert invite(api, acme, email).status_code == 201
    link, known = link_of(acme, new(acme)), link_of(acme, globex.editor.email)
    ended = client_of.get(link[:-4] + "xxx/")
    assert press(browser, acme).status_code == 302
    answers = [client_of.get(link), client_of.post(link, NORA), browse(globex.editor).post(known)]
    assert [answer.status_code for answer in answers] == [404] * 3
    assert all("This invitation has ended" in answer.content.decode() for answer in [ended, *answers])
    with as_system(acme.id):
        assert not Member.objects.filter(user__email__in=[new(acme), globex.editor.email]).exists()
    assert press(browser, acme).status_code == 302
    assert [client_of.post(link, NORA).status_code, browse(globex.editor).post(known).status_code] == [302, 302]


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"typed": "another"}, "Type the address exactly"),
        ({"reason": "no"}, "Say why"),
        ({"reason": ""}, "This field is required"),
    ],
)
def test_without_a_reason_or_with_another_address_nothing_happens_and_nothing_typed_is_lost(
    browser, acme, doors, sent, said
):
    answer = press(browser, acme, **sent)
    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert (sent | {"reason": sent.get("reason", REASON)})["reason"] in answer.content.decode()
    assert doors() == (200, 200, 200, 200)


def test_nobody_else_and_nobody_whose_sign_in_is_old_does_it(browser, acme, browse, doors):
    assert press(browse(acme.owner), acme).status_code == 404
    assert browser.get(place(PLATFORM_TENANT_ID)).status_code == 404
    session = browser.session
    session["account_authentication_methods"] = [{"method": "password", "at": time.time() - 400}]
    session.save()
    assert press(browser, acme)["Location"].startswith("/account/reauthenticate/")
    assert doors() == (200, 200, 200, 200)
