"""Service accounts: programs with a role and keys of their own, without a sign-in, a seat or a say, and no way to more."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, IntegrityError, transaction
from django.test import Client
from rest_framework.test import APIClient

from apps.accounts.actions import open_family
from apps.accounts.models import Member, User
from apps.audit.models import Entry
from apps.comms.models import OutboxMessage
from apps.tenants.context import NOBODY, as_system, tenant_context
from apps.tenants.models import PLATFORM_TENANT_ID
from apps.tenants.refusals import NotSignedIn
from tests.cast import PASSWORD
from tests.database import run_apart
from tests.forms import body, published, step

PLACE = "/api/v1/service-accounts"


def made(api, company, **more):
    answer = api.as_(company.owner).post(PLACE, {"name": "Deploy", "role": "member"} | more)
    assert answer.status_code == 201, answer.json()
    with as_system(company.id):
        return Member.objects.select_related("user", "tenant").get(pk=answer.json()["id"])


def key(api, company, account, *scopes):
    sent = {"name": "CI", "scopes": scopes or ["forms.read", "forms.create"], "service_account": str(account.pk)}
    answer = api.as_(company.owner).post("/api/v1/api-keys", sent)
    assert answer.status_code == 201, answer.json()
    return answer.json()["key"]


def door(text):
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {text}")
    return client


def test_it_acts_by_its_key_and_the_log_names_it_as_what_it_is(api, acme):
    account = made(api, acme)
    found = door(key(api, acme, account))
    me = found.get("/api/v1/me").json()
    assert (me["tenant"], me["member"], me["permissions"]) == (
        str(acme.id),
        str(account.pk),
        ["forms.create", "forms.read"],
    )
    assert found.post("/api/v1/forms", body(step("a", acme.reviewer))).status_code == 201
    with as_system(acme.id):
        entry = Entry.objects.get(action="form.created")
    assert (entry.actor_type, entry.actor_id) == ("service_account", account.pk)


def test_a_form_is_opened_to_it_by_name_and_closed_again(api, acme):
    account = made(api, acme, role="viewer")
    form = published(api, acme.editor, step("a", acme.reviewer))
    found = door(key(api, acme, account, "forms.read"))
    place = f"/api/v1/forms/{form}"
    assert found.get(place).status_code == 404
    sent = {"principal_type": "USER", "principal_id": str(account.pk), "role": "REVIEWER"}
    grant = api.as_(acme.editor).post(f"{place}/access", sent).json()["id"]
    assert found.get(place).status_code == 200
    assert api.as_(acme.editor).delete(f"{place}/access/{grant}").status_code == 204
    assert found.get(place).status_code == 404


def test_off_ends_its_keys_at_once_and_on_brings_none_back(api, acme):
    account = made(api, acme)
    found = door(key(api, acme, account))
    owner = api.as_(acme.owner)
    assert found.get("/api/v1/forms").status_code == 200
    assert owner.delete(f"{PLACE}/{account.pk}").status_code == 204
    assert found.get("/api/v1/forms").status_code == 401
    assert owner.patch(f"{PLACE}/{account.pk}", {"is_active": True}).json()["is_active"] is True
    assert found.get("/api/v1/forms").status_code == 401


def test_another_role_counts_from_the_next_request_on(api, acme):
    account = made(api, acme)
    found = door(key(api, acme, account))
    assert api.as_(acme.owner).patch(f"{PLACE}/{account.pk}", {"role": "viewer"}).status_code == 200
    assert found.post("/api/v1/forms", body(step("a", acme.reviewer))).status_code == 403


def test_it_takes_no_seat_and_is_no_member(api, acme):
    def seats():
        meters = api.as_(acme.owner).get("/api/v1/usage").json()["quotas"]
        return next(meter["used"] for meter in meters if meter["resource"] == "members")

    before = seats()
    account = made(api, acme)
    assert seats() == before
    assert api.as_(acme.owner).delete(f"{PLACE}/{account.pk}").status_code == 204
    assert seats() == before
    listed = api.as_(acme.owner).get("/api/v1/members").json()["results"]
    assert str(account.pk) not in {row["id"] for row in listed}


def test_no_door_signs_it_in(api, acme, browse):
    account = made(api, acme)
    for password in ("", "!", PASSWORD, account.user.password):
        sent = {"email": account.email, "password": password, "tenant": acme.slug}
        assert api.post("/api/v1/auth/token", sent).status_code in {400, 401}
        client = Client()
        client.post("/account/login/", {"login": account.email, "password": password})
        assert client.get(acme.url()).status_code == 302
    Client().post("/account/password/reset/", {"email": account.email})
    run_apart("accounts.mail_reset_link")
    with as_system(PLATFORM_TENANT_ID):
        assert not OutboxMessage.objects.filter(to=account.email).exists()
    # Even a session or a token that something else made for it opens nothing.
    assert browse(account).get(acme.url())["Location"].startswith("/account/login/")
    assert api.as_(account).get("/api/v1/forms").status_code == 401
    assert api.as_(account.user).get("/api/v1/me").status_code == 401
    with pytest.raises(NotSignedIn):
        open_family(account.user, tenant=acme.id)


def test_it_never_decides(api, acme):
    account = made(api, acme)
    owner = api.as_(acme.owner)
    refused = owner.post("/api/v1/forms", body(step("a", account)))
    published_too = (
        refused.status_code == 201 and owner.post(f"/api/v1/forms/{refused.json()['id']}/publish").status_code
    )
    assert 400 in {refused.status_code, published_too}
    team = owner.post("/api/v1/teams", {"name": "Ops", "slug": "ops"}).json()["id"]
    assert owner.post(f"/api/v1/teams/{team}/members", {"member": str(account.pk)}).status_code in {400, 404}
    sent = {"name": "x", "scopes": ["tasks.decide"], "service_account": str(account.pk)}
    assert owner.post("/api/v1/api-keys", sent).status_code == 400
    everybody = {"key": "a", "name": "A", "approvers": [{"type": "role", "id": "member"}], "quorum": {"kind": "any"}}
    form = published(api, acme.owner, everybody, slug="everybody")
    sent = owner.post(f"/api/v1/forms/{form}/submissions", {"data": {"item": "x", "total": 1}})
    assert sent.json()["state"] == "in_review"
    with as_system(acme.id):
        from apps.approvals.models import Assignment

        asked = set(Assignment.objects.values_list("person_id", flat=True))
    assert asked
    assert account.pk not in asked


def test_no_way_leads_it_higher(api, acme, globex):
    account, theirs = made(api, acme), made(api, globex)
    owner = api.as_(acme.owner)
    assert owner.post(PLACE, {"name": "Root", "role": "owner"}).status_code == 400
    assert owner.patch(f"{PLACE}/{account.pk}", {"role": "owner"}).status_code == 400
    assert owner.patch(f"/api/v1/members/{account.pk}", {"role": "owner"}).status_code == 404
    for field in ("is_service", "user", "tenant", "permissions", "scopes", "is_platform_admin"):
        assert owner.patch(f"{PLACE}/{account.pk}", {field: "x"}).status_code == 400
    for person in (acme.editor, acme.viewer):
        refused = api.as_(person)
        assert refused.get(PLACE).status_code == 403
        assert refused.post(PLACE, {"name": "x", "role": "viewer"}).status_code == 403
        assert refused.patch(f"{PLACE}/{account.pk}", {"role": "viewer"}).status_code == 403
    beyond = {"name": "x", "scopes": ["audit.read"], "service_account": str(account.pk)}
    assert owner.post("/api/v1/api-keys", beyond).status_code == 400
    for other in (theirs, acme.editor):  # another tenant's, and a person
        sent = {"name": "x", "scopes": ["forms.read"], "service_account": str(other.pk)}
        assert owner.post("/api/v1/api-keys", sent).status_code == 400
    itself = door(key(api, acme, account, "forms.read"))
    assert itself.post(PLACE, {"name": "x", "role": "member"}).status_code == 403
    assert itself.post("/api/v1/auth/switch", {"tenant": globex.slug}).status_code == 403
    assert itself.get("/api/v1/platform/audit/verify").status_code in {404, 405}
    with as_system(acme.id):
        assert Member.objects.get(pk=account.pk).role == "member"


@pytest.mark.parametrize("change", [{"password": "md5$x$y"}, {"is_platform_admin": True}])
def test_the_database_itself_keeps_it_without_a_password_and_without_power(api, acme, change):
    account = made(api, acme)
    with tenant_context(NOBODY), pytest.raises(DatabaseError), transaction.atomic():
        User.objects.filter(pk=account.user_id).update(**change)
    with as_system(acme.id), pytest.raises(IntegrityError), transaction.atomic():
        Member.objects.filter(pk=account.pk).update(role="owner")


def test_the_page_makes_shows_and_switches_them(api, acme, browse):
    page = browse(acme.owner)
    place = acme.url("settings/api-keys/")
    wrong = page.post(f"{place}accounts/", {"service-name": "", "service-role": "member"})
    assert wrong.status_code == 422
    assert page.post(f"{place}accounts/", {"service-name": "Nightly", "service-role": "viewer"}).status_code == 302
    with as_system(acme.id):
        account = Member.objects.get(is_service=True)
    sent = {"name": "CI", "account": str(account.pk), "scopes": ["forms.read"], "days": 30}
    assert "acts as Nightly (service account)" in page.post(place, sent).content.decode()
    page.post(f"{place}accounts/{account.pk}/", {"do": "off"})
    assert "acts as Nightly" not in page.get(place).content.decode()
    with as_system(acme.id):
        actions = list(Entry.objects.filter(target_id=account.pk).order_by("time").values_list("action", flat=True))
    assert actions == ["service_account.created", "service_account.switched"]
