"""What Super Admins look at: every table of their site, every claim, and what they may mark."""

from __future__ import annotations

import re
import time
from html import escape
from uuid import uuid4

import pytest
from django.conf import settings
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from apps.accounts.actions import make_super_admin
from apps.accounts.models import BrowserSession
from apps.accounts.sessions import stored_key
from apps.audit.models import Entry
from apps.operations.models import Alarm
from apps.tenants.context import TenantContext, as_system, tenant_context
from apps.tenants.models import PLATFORM_TENANT_ID
from apps.tenants.security_events import Kind, security_event
from apps.trust import claims
from tests.cast import PASSWORD

PATIENCE_SECONDS = 20
ACTS = {"accounts.supportvisit"}  # a visit is begun there, after a fresh sign-in
TABLES = sorted(model._meta.label_lower for model in admin.site._registry)


@pytest.fixture
def admin_client(acme):
    """A Super Admin in a browser."""
    make_super_admin(acme.owner.user)
    client = Client()
    client.force_login(acme.owner.user, backend=settings.AUTHENTICATION_BACKENDS[0])
    return client


def test_the_site_covers_what_super_admins_need():
    needed = {
        "tenants.tenant", "accounts.user", "accounts.member", "billing.plan", "billing.subscription", "flags.flag",
        "operations.alarm", "trust.policyreport", "trust.candidatepolicy", "procrastinate.procrastinatejob",
        "comms.outboxmessage", "audit.entry",
    }  # fmt: skip
    assert needed <= set(TABLES)


@pytest.mark.parametrize("label", TABLES)
def test_every_table_opens_and_nothing_is_added_there_but_by_an_act(admin_client, label):
    name = label.replace(".", "_")
    assert admin_client.get(reverse(f"admin:{name}_changelist")).status_code == 200
    assert admin_client.get(reverse(f"admin:{name}_add")).status_code == (302 if label in ACTS else 403)


def test_the_page_of_claims_shows_both_lists_with_results(admin_client):
    text = admin_client.get("/admin/claims/").content.decode()
    for claim in claims.CLAIMS:
        assert escape(str(claim.title)) in text
    assert text.count('class="state ') == len(claims.live())
    assert "/admin/claims/" in admin_client.get("/admin/").content.decode()


def test_whom_a_mail_went_to_and_what_it_said_is_shown_to_nobody(admin_client, api, acme):
    address = f"{uuid4().hex}@new.example"
    assert api.as_(acme.owner).post("/api/v1/invitations", {"email": address, "role": "member"}).status_code == 201
    page = admin_client.get(f"/admin/comms/outboxmessage/?of_tenant={acme.slug}")
    text = page.content.decode()
    assert "account/mail/invitation" in text
    pk = re.search(r"/admin/comms/outboxmessage/([0-9a-f-]{36})/change/", text)[1]
    for shown in (text, admin_client.get(f"/admin/comms/outboxmessage/{pk}/change/").content.decode()):
        assert address not in shown
        assert "/account/invitation/" not in shown


@pytest.fixture
def alarm(acme):
    """A kept event with a mark of its own in its facts."""
    mark = str(uuid4())
    with as_system(acme.id):
        security_event(Kind.FILE_CORRUPT, attachment=mark)
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        with tenant_context(TenantContext(platform=True, credential="system")):
            if row := Alarm.objects.filter(facts__attachment=mark).first():
                return row
        time.sleep(0.02)
    raise AssertionError("It was not kept.")


def test_a_super_admin_finds_unseen_events_and_marks_them(admin_client, acme, alarm):
    unseen = "/admin/operations/alarm/?seen=no&kind__exact=file_corrupt"
    text = admin_client.get(unseen).content.decode()
    assert alarm.facts["attachment"] in text
    assert "ACME" in text
    body = {"action": "mark_seen", "_selected_action": [str(alarm.pk)]}
    answer = admin_client.post("/admin/operations/alarm/", body)
    assert answer.status_code == 302
    assert alarm.facts["attachment"] not in admin_client.get(unseen).content.decode()
    with tenant_context(TenantContext(platform=True, credential="system")):
        alarm.refresh_from_db()
        assert alarm.seen_by == acme.owner.user_id
        entries = Entry.objects.filter(tenant_id=PLATFORM_TENANT_ID, action="alarm.seen").order_by("-time")
        assert str(alarm.pk) in entries[0].facts["events"]
        said = entries[0].document
        assert said["actor"] == {"type": "user", "id": str(acme.owner.user_id)}
        assert (said["credential"], said["request_id"]) == ("session", answer["X-Request-ID"])
    admin_client.post("/admin/operations/alarm/", body)
    with tenant_context(TenantContext(platform=True, credential="system")):
        assert alarm.seen_at == Alarm.objects.get(pk=alarm.pk).seen_at


def test_a_super_admin_who_reads_entries_is_named_in_the_log_of_the_tenant_or_the_platforms(admin_client, acme):
    with as_system(acme.id):
        one = Entry.objects.first()
    place = "/admin/audit/entry/"
    for address in (f"{place}?q=Private+words", f"{place}?of_tenant={acme.slug}", f"{place}{one.pk}/change/"):
        assert admin_client.get(address).status_code == 200
    seen = {}
    for tenant in (PLATFORM_TENANT_ID, acme.id):
        with as_system(tenant):
            rows = Entry.objects.filter(action="audit.viewed", actor_id=acme.owner.user_id).order_by("time")
            seen[tenant] = [row.facts["filters"] for row in rows]
    assert seen[PLATFORM_TENANT_ID] == [{"q": True}]
    assert seen[acme.id] == [{"of_tenant": True}, {"entry": str(one.pk)}]


@pytest.mark.parametrize("typed", ["{slug}", "  {slug} ", "{SLUG}", "{slug}\0"])
def test_however_a_tenants_address_is_typed_its_own_log_tells_of_the_look(admin_client, acme, typed):
    query = {"of_tenant": typed.format(slug=acme.slug, SLUG=acme.slug.upper()), "action": "tenant.created"}
    text = admin_client.get("/admin/audit/entry/", query).content.decode()
    assert "No tenant has this address." not in text
    with as_system(acme.id):
        (seen,) = Entry.objects.filter(action="audit.viewed", actor_id=acme.owner.user_id)
    assert seen.facts["filters"] == {"of_tenant": True, "action": "tenant.created"}


def test_the_filter_by_tenant_names_no_tenants_and_keeps_the_other_filters(admin_client, acme, globex):
    text = admin_client.get("/admin/accounts/member/?role__exact=owner").content.decode()
    form = text[text.index('id="of_tenant"') - 600 : text.index('id="of_tenant"')]
    assert '<input type="hidden" name="role__exact" value="owner">' in form
    assert f"={globex.id}" not in text
    alone = admin_client.get(f"/admin/accounts/member/?of_tenant={acme.slug}").content.decode()
    assert f"/member/{acme.editor.pk}/change/" in alone
    assert f"/member/{globex.editor.pk}/change/" not in alone
    nobody = admin_client.get("/admin/accounts/member/?of_tenant=nobody-there").content.decode()
    assert "No tenant has this address." in nobody
    assert f"/member/{acme.editor.pk}/change/" not in nobody


@pytest.mark.parametrize("what", ["change", "delete"])
def test_an_event_can_be_neither_changed_nor_deleted_there(admin_client, alarm, what):
    address = reverse(f"admin:operations_alarm_{what}", args=[alarm.pk])
    assert admin_client.post(address, {"kind": "brute_force", "post": "yes"}).status_code == 403
    assert re.search(
        "File|stored", admin_client.get(reverse("admin:operations_alarm_change", args=[alarm.pk])).content.decode()
    )


def test_log_out_in_the_admin_ends_the_session_and_is_logged_once(admin_client, acme):
    key = admin_client.session.session_key
    path = re.search(r'id="logout-form" method="post" action="([^"]+)"', admin_client.get("/admin/").content.decode())[
        1
    ]
    answer = admin_client.post(path, follow=True)
    assert answer.status_code == 200
    assert not BrowserSession.objects.filter(session_key=stored_key(key)).exists()
    assert admin_client.get("/admin/").status_code == 302
    with as_system(acme.id):
        assert Entry.objects.filter(action="session.closed").count() == 1


def test_a_look_at_the_admins_own_way_out_signs_nobody_out(admin_client):
    assert admin_client.get("/admin/logout/", follow=True).status_code == 200
    assert admin_client.get("/admin/").status_code == 200


@pytest.mark.parametrize("method", ["get", "post"])
def test_the_admin_has_no_page_of_its_own_where_a_password_could_be_guessed(admin_client, method):
    sent = {"old_password": PASSWORD, "new_password1": "another long one", "new_password2": "another long one"}
    answer = getattr(admin_client, method)("/admin/password_change/", sent)
    assert (answer.status_code, answer["Location"]) == (302, "/account/password/change/")
