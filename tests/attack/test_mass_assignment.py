"""No field of any write lifts anybody: what is not asked for is refused by name, and what decides power is nobody's input."""

from __future__ import annotations

import pytest
from django.urls import get_resolver
from rest_framework import serializers

from apps.accounts.models import Member, User
from apps.tenants.api import CheckedSerializer
from apps.tenants.context import as_system
from tests.forms import body, published, step

# Columns that decide whose something is or what somebody may; (serializer, field) that may set one, each with its check.
POWER = {
    "tenant", "tenant_id", "user", "user_id", "member_id", "created_by", "invited_by", "published_by", "submitter",
    "is_platform_admin", "is_staff", "is_superuser", "permissions", "is_active", "role", "person", "requester",
    "state", "secret_sha256", "token_sha256", "shown", "generation", "amr", "auth_time", "credential", "scope",
}  # fmt: skip
ALLOWED = {
    ("MemberChangeSerializer", "role"): "members.write, and the last owner stays",
    ("MemberChangeSerializer", "is_active"): "members.write, and the last owner stays",
    ("ServiceAccountInputSerializer", "role"): "api_keys.write, and never owner",
    ("ServiceAccountChangeSerializer", "role"): "api_keys.write, and never owner",
    ("ServiceAccountChangeSerializer", "is_active"): "api_keys.write",
    ("InvitationInputSerializer", "role"): "members.write",
    ("DelegationInputSerializer", "person"): "oneself, or members.write with a reason",
    ("GrantInputSerializer", "role"): "only who manages the form",
    ("TokenRequestSerializer", "tenant"): "one of the person's own",
    ("SwitchSerializer", "tenant"): "one of the person's own",
}


def inputs(base=CheckedSerializer):
    get_resolver().url_patterns  # every room's API is loaded then
    for found in base.__subclasses__():
        yield found
        yield from inputs(found)


def written_fields():
    return {
        (found.__name__, name)
        for found in inputs()
        if found.__module__.startswith(("apps.accounts", "apps.approvals", "apps.forms"))
        for name, field in found().fields.items()
        if not field.read_only
    }


def test_the_walk_finds_the_inputs():
    names = {name for name, _field in written_fields()}
    assert {"TokenRequestSerializer", "MemberChangeSerializer", "FormInputSerializer", "ApiKeyInputSerializer"} <= names


def test_no_input_takes_what_decides_power_but_those_that_check_it():
    assert {pair for pair in written_fields() if pair[1] in POWER} == set(ALLOWED)


def test_every_input_of_the_api_refuses_what_it_does_not_know():
    assert all(issubclass(found, CheckedSerializer) for found in inputs())
    loose = [
        found.__name__
        for found in serializers.ModelSerializer.__subclasses__()
        if found.__module__.startswith("apps.") and found.__name__.endswith("InputSerializer")
    ]
    assert loose == []


EXTRA = {
    "tenant": "00000000-0000-7000-8000-000000000000", "tenant_id": "x", "role": "OWNER", "is_platform_admin": True,
    "user": "x", "member": "x", "created_by": "x", "is_active": True, "permissions": ["audit.read"], "id": "x",
    "state": "approved", "submitter": "x", "live_version": "x",
}  # fmt: skip


@pytest.mark.parametrize("field", EXTRA)
def test_a_field_that_nobody_asked_for_is_refused_by_name(api, acme, field):
    form = published(api, acme.editor, step("a", acme.reviewer))
    door = api.as_(acme.editor)
    sent = {field: EXTRA[field]}
    for answer in (
        door.post("/api/v1/forms", body(step("a", acme.reviewer), slug="second") | sent),
        door.patch(f"/api/v1/forms/{form}", sent),
        door.post(f"/api/v1/forms/{form}/submissions", {"data": {"item": "x", "total": 1}} | sent),
    ):
        assert answer.status_code == 400
        assert field in {error["field"] for error in answer.json()["errors"]}


@pytest.mark.parametrize("who", ["editor", "reviewer", "viewer"])
def test_nobody_lifts_themselves_by_any_write_on_people(api, acme, who):
    member = getattr(acme, who)
    door = api.as_(member)
    for sent in ({"role": "owner"}, {"is_active": True}, {"role": "owner", "is_platform_admin": True}):
        assert door.patch(f"/api/v1/members/{member.pk}", sent).status_code in {400, 403}
    assert door.post("/api/v1/invitations", {"email": member.user.email, "role": "owner"}).status_code == 403
    with as_system(acme.id):
        assert Member.objects.get(pk=member.pk).role == member.role
    assert not User.objects.get(pk=member.user_id).is_platform_admin


def test_an_owner_of_a_tenant_is_never_lifted_over_it(api, acme):
    door = api.as_(acme.owner)
    for field in ("is_platform_admin", "is_staff", "is_superuser", "tenant", "user"):
        assert door.patch(f"/api/v1/members/{acme.editor.pk}", {field: True}).status_code == 400
    assert not User.objects.get(pk=acme.editor.user_id).is_platform_admin
    assert door.post("/api/v1/platform/audit/verify").status_code == 404


def test_a_page_takes_no_more_than_its_form_shows(browse, acme):
    page = browse(acme.owner)
    sent = {"name": "ACME", "timezone": "UTC", "is_active": "", "slug": "stolen", "id": "x", "plan": "unlimited"}
    assert page.post(acme.url("settings/general/"), sent).status_code == 302
    with as_system(acme.id):
        from apps.tenants.models import Tenant

        found = Tenant.objects.get(pk=acme.id)
    assert (found.slug, found.is_active) == (acme.slug, True)
