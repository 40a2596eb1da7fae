"""One stolen access token buys nothing that outlives the sign-in it came from."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from rest_framework.test import APIClient

from apps.accounts.actions import add_member, end_families
from apps.accounts.models import TokenFamily
from apps.tenants import clock
from apps.tenants.context import as_system
from tests.attack.test_ends_that_race import while_uncommitted
from tests.attack.test_tokens import call, obtain, refresh
from tests.sso import acts


def switch(access, company):
    bearer = {"Authorization": f"Bearer {access}"}
    return APIClient().post("/api/v1/auth/switch", {"tenant": company.slug}, headers=bearer)


@pytest.fixture
def owned(api, acme):
    """The pair of whoever signed in."""
    return obtain(api, acme.editor, acme)


@pytest.fixture
def stolen(acme, owned):
    """What a thief makes of one access token: a pair of their own, and of that another one."""
    first = switch(owned["access"], acme).json()
    return [first, switch(first["access"], acme).json()]


def is_over(pair):
    return refresh(pair["refresh"]).status_code == 401 and call(pair["access"]).status_code == 401


def revoked(owned, browse, acme):
    assert APIClient().post("/api/v1/auth/revoke", {"refresh": owned["refresh"]}).status_code == 204


def ended_on_the_page(owned, browse, acme):
    family = TokenFamily.objects.get(parent=None, user=acme.editor.user)
    assert browse(acme.editor).post("/account/sessions/", {"end": f"tokens:{family.pk}"}).status_code == 302


def reused(owned, browse, acme):
    refresh(refresh(owned["refresh"]).json()["refresh"])
    assert refresh(owned["refresh"]).json()["code"] == "refresh_reused"


@pytest.mark.parametrize("end", [revoked, ended_on_the_page, reused])
def test_what_a_token_opened_ends_with_the_family_of_that_token(acme, browse, owned, stolen, end):
    assert not any(is_over(pair) for pair in stolen)
    stolen = [stolen[0] | {"refresh": refresh(stolen[0]["refresh"]).json()["refresh"]}, stolen[1]]
    end(owned, browse, acme)
    assert all(is_over(pair) for pair in [owned, *stolen])
    assert len(acts(acme, "token.revoked")) + len(acts(acme, "token.reused")) == 3


def test_ending_what_was_opened_leaves_what_it_came_from(acme, owned, stolen):
    revoked(stolen[0], None, acme)
    assert all(is_over(pair) for pair in stolen)
    assert refresh(owned["refresh"]).status_code == 200


def test_a_tenant_that_ends_a_members_tokens_ends_none_for_another(api, acme, globex, owned):
    with as_system(globex.id):
        add_member(acme.editor.user, role="viewer", by=None)
    there = switch(owned["access"], globex).json()
    back = switch(there["access"], acme).json()
    end_families(acme.editor.user_id, acme.id)
    assert is_over(owned)
    assert is_over(back)
    assert refresh(there["refresh"]).status_code == 200


def test_nothing_that_a_token_opened_lives_longer_than_its_sign_in(acme, owned):
    pair, start = owned, clock.now()
    for days in (10, 20, 29):
        with time_machine.travel(start + timedelta(days=days)):
            pair = switch(refresh(pair["refresh"]).json()["access"], acme).json()
    with time_machine.travel(start + timedelta(days=29, hours=23)):
        pair = refresh(pair["refresh"]).json()
    with time_machine.travel(start + timedelta(days=30, minutes=1)):
        assert refresh(pair["refresh"]).status_code == 401


def test_a_family_that_is_being_ended_waits_for_what_its_token_is_just_opening(acme, owned):
    """The child is committed after the end was asked for, and is still found by it."""
    parent = TokenFamily.objects.get(user=acme.editor.user)
    columns = "id, user_id, tenant_id, generation, secret_sha256, agent, created_at, amr, auth_time"
    rest = "idle_expires_at, expires_at"
    opening = [
        ("SELECT 1 FROM accounts_user WHERE id = %s FOR NO KEY UPDATE", [acme.editor.user_id]),
        (
            f"INSERT INTO accounts_tokenfamily (parent_id, {columns}, {rest}) SELECT id, gen_random_uuid(), "
            f"{columns.removeprefix('id, ')}, {rest} FROM accounts_tokenfamily WHERE id = %s",
            [parent.pk],
        ),
    ]
    while_uncommitted(opening, lambda: revoked(owned, None, acme))
    assert TokenFamily.objects.filter(user=acme.editor.user).count() == 2
    assert not TokenFamily.objects.filter(user=acme.editor.user, revoked_at=None).exists()
