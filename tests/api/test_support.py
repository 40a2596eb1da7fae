"""Support visits: a Super Admin enters one tenant, with a reason, for a while, and leaves traces with both names."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import time_machine
from django.conf import settings
from django.test import Client

from apps.accounts.models import SupportVisit, User
from apps.approvals.models import Assignment
from apps.audit.models import Entry
from apps.comms.models import OutboxMessage
from apps.tenants import clock
from apps.tenants.context import as_system
from tests.forms import published, step

REASON = "Ticket 4711: the form does not publish."
ENTER = "/admin/accounts/supportvisit/add/"


def enter(browser: Client, company: Any, reason: str = REASON) -> Any:
    return browser.post(ENTER, {"tenant": str(company.id), "reason": reason})


def test_without_a_visit_a_tenant_does_not_exist_for_a_super_admin(browser, acme):
    assert browser.get(acme.url()).status_code == 404


def test_a_visitor_acts_for_an_owner_and_both_names_stand_in_the_tenants_log(browser, admin, acme):
    assert enter(browser, acme)["Location"] == acme.url()
    page = browser.get(acme.url()).content.decode()
    assert "Support visit, acting for Owner" in page
    assert "Leave" in page
    body = {"name": "ACME renamed", "timezone": "UTC"}
    assert browser.post(acme.url("settings/general/"), body).status_code == 302
    with as_system(acme.id):
        entered, changed = (Entry.objects.get(action=name) for name in ("support.entered", "tenant.changed"))
        mail = OutboxMessage.objects.get(template="account/mail/support")
    assert entered.facts["visitor"] == str(admin.pk)
    assert changed.document["actor"] == {"type": "member", "id": str(acme.owner.pk)}
    assert changed.document["impersonator"] == {"type": "user", "id": str(admin.pk)}
    assert changed.document["credential"] == "support"
    assert REASON in mail.body
    assert mail.to == acme.owner.email


def test_a_visit_opens_one_tenant_and_no_other(browser, acme, globex):
    enter(browser, acme)
    assert browser.get(acme.url()).status_code == 200
    assert browser.get(globex.url()).status_code == 404


def test_a_reason_is_needed_and_what_was_typed_stays(browser, acme):
    answer = enter(browser, acme, "help")
    assert answer.status_code == 422
    assert "Say why" in answer.content.decode()
    assert ">\nhelp</textarea>" in answer.content.decode()
    assert browser.get(acme.url()).status_code == 404


def test_a_visit_ends_by_itself(browser, acme):
    enter(browser, acme)
    with time_machine.travel(clock.now() + timedelta(minutes=31), tick=False):
        assert browser.get(acme.url()).status_code == 404


def test_leaving_ends_it_at_once_and_is_recorded(browser, acme):
    enter(browser, acme)
    assert browser.post("/account/support/leave/")["Location"] == "/admin/"
    assert browser.get(acme.url()).status_code == 404
    with as_system(acme.id):
        assert Entry.objects.filter(action="support.left").count() == 1
        assert SupportVisit.objects.get().closed_at is not None


def test_a_visitor_neither_fills_nor_decides_nor_changes_people(browser, api, acme):
    form = published(api, acme.owner, step("owner", acme.owner))
    sent = api.as_(acme.editor).post(f"/api/v1/forms/{form}/submissions", {"data": {"item": "A", "total": 3}}).json()
    with as_system(acme.id):
        task = Assignment.objects.get(person=acme.owner)
    enter(browser, acme)
    decision = {"verdict": "approve", "revision": sent["revision"]}
    assert browser.post(acme.url(f"tasks/{task.pk}/"), decision).status_code == 403
    assert browser.post(acme.url("forms/request/fill/"), {"item": "B", "total": "1"}).status_code == 403
    member = acme.url(f"settings/members/{acme.viewer.pk}/")
    assert browser.post(member, {"do": "role", "role": "owner"}).status_code == 403
    invited = {"email": "friend@example.org", "role": "owner"}
    assert browser.post(acme.url("settings/members/"), invited).status_code == 403


def test_only_a_super_admin_enters(browse, acme, globex):
    answer = browse(globex.owner).post(ENTER, {"tenant": str(acme.id), "reason": REASON})
    assert answer.status_code == 404


def test_one_who_is_no_super_admin_any_more_is_out_at_once(browser, admin, acme):
    enter(browser, acme)
    User.objects.filter(pk=admin.pk).update(is_platform_admin=False)
    assert browser.get(acme.url()).status_code == 404


def test_an_old_sign_in_must_be_confirmed_before_entering(admin, acme):
    client = Client()
    client.force_login(admin, backend=settings.AUTHENTICATION_BACKENDS[0])
    answer = enter(client, acme)
    assert answer.status_code == 302
    assert answer["Location"].startswith("/account/")
    with as_system(acme.id):
        assert not SupportVisit.objects.exists()
