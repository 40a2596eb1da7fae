"""Statements that an attacker injects inside a tenant, as the app's role with that tenant and themselves bound."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, connections, transaction
from django.test import Client

from apps.accounts import signing_keys
from apps.accounts.models import Kept, Revocation, RevokedKind, SigningKey, User
from apps.accounts.revocation import revoke
from apps.accounts.sessions import stored_key
from apps.audit.models import Entry
from apps.tenants import clock
from apps.tenants.context import NOBODY, as_system, tenant_context
from apps.tenants.ids import new_id
from apps.tenants.models import PLATFORM_TENANT_ID
from tests.cast import PASSWORD, acting_as, person
from tests.database import superuser

ADDED = {
    "a key of tokens": (
        "INSERT INTO accounts_signingkey (kid, public, sealed, created_at, signs_from)"
        " VALUES ('0123456789abcdef', '\\x00', '', now(), now())"
    ),
    "an open link": "INSERT INTO accounts_kept (key, count, value, expires_at) VALUES ('x', 0, '', now() + '1 day')",
    "a revocation": (
        f"INSERT INTO accounts_revocation (id, kind, key, at) VALUES ('{new_id()}', 'tenant', '{new_id()}', now())"
    ),
    "a switch": "INSERT INTO flags_flag SELECT * FROM flags_flag",
    "a policy of pages": (
        f"INSERT INTO trust_candidatepolicy (id, changes, started_at) VALUES ('{new_id()}', '{{{{}}}}', now())"
    ),
    "another's address": (
        'INSERT INTO account_emailaddress (email, verified, "primary", user_id)'
        " VALUES ('a@evil.example', true, false, '{other}')"
    ),
    "another's second factor": (
        "INSERT INTO mfa_authenticator (type, data, user_id, created_at) VALUES ('totp', '{{}}', '{other}', now())"
    ),
    "a person": (
        "INSERT INTO accounts_user (id, password, email, name, is_active, is_platform_admin, is_service)"
        " SELECT gen_random_uuid(), password, 'b@evil.example', name, is_active, is_platform_admin, is_service"
        " FROM accounts_user WHERE id = '{me}'"
    ),
}
CHANGED = {
    "another's password": "UPDATE accounts_user SET password = 'x' WHERE id = '{other}'",
    "another's address": "UPDATE accounts_user SET email = 'a@evil.example' WHERE id = '{other}'",
    "another's proven address": "UPDATE account_emailaddress SET email = 'a@evil.example' WHERE user_id = '{other}'",
    "another's second factor": "DELETE FROM mfa_authenticator WHERE user_id = '{other}'",
    "recovery codes": "DELETE FROM accounts_recoverycode WHERE user_id = '{other}'",
    "what was taken back": "DELETE FROM accounts_revocation",
    "tries and links": "DELETE FROM accounts_kept",
    "switches": "UPDATE flags_flag SET is_killed = true",
    "the policy of pages": "UPDATE trust_candidatepolicy SET ended_at = now()",
    "keys of tokens": "UPDATE accounts_signingkey SET retired_at = now()",
}


@pytest.fixture
def stage(acme, browse):
    """Something in each of the tables; returns what statements are filled with."""
    other = acme.editor.user_id
    with tenant_context(NOBODY):
        revoke(RevokedKind.USER, new_id())
        Kept.objects.create(key=new_id().hex, expires_at=clock.now() + timedelta(days=1))
    with superuser() as connection_:
        connection_.execute(
            "INSERT INTO mfa_authenticator (type, data, user_id, created_at) VALUES ('totp', '{}', %s, now())", [other]
        )
    return {"other": other, "me": acme.owner.user_id}


@pytest.mark.parametrize("what", ADDED)
def test_it_adds_nothing_that_opens_another_tenant(acme, stage, what):
    with acting_as(acme.owner), connection.cursor() as cursor, pytest.raises(DatabaseError, match="row-level security"):
        cursor.execute(ADDED[what].format(**stage))


@pytest.mark.parametrize("what", CHANGED)
def test_it_changes_nothing_of_others_and_nothing_of_the_installation(acme, stage, what):
    with acting_as(acme.owner), connection.cursor() as cursor:
        cursor.execute(CHANGED[what].format(**stage))
        assert cursor.rowcount == 0


def test_it_reads_no_open_links(acme, stage):
    with acting_as(acme.owner):
        assert Kept.objects.count() == 0
    with tenant_context(NOBODY):
        assert Kept.objects.count() > 0
        assert Revocation.objects.count() > 0


READ = "SELECT session_key, session_data FROM accounts_browsersession WHERE user_id = %s"


@pytest.mark.parametrize("way", ["the key", "the data in a row of mine", "a key of mine to the row"])
def test_what_rows_of_sessions_say_opens_nobodys_session(acme, browse, way):
    """A colleague's session opens every tenant of theirs: its row is read inside one, and even written anew."""
    victim, mine, thief = browse(acme.editor), browse(acme.owner), Client()
    assert victim.get(acme.url()).status_code == 200
    assert mine.get(acme.url()).status_code == 200
    with acting_as(acme.owner), connection.cursor() as cursor:
        cursor.execute(READ, [acme.editor.user_id])
        ((key, data),) = cursor.fetchall()
    cookie = {"the key": key}.get(way, mine.cookies[settings.SESSION_COOKIE_NAME].value)
    with superuser() as attacker:
        if way == "the data in a row of mine":
            attacker.execute(
                "UPDATE accounts_browsersession SET session_data = %s WHERE session_key = %s",
                [data, stored_key(cookie)],
            )
        elif way == "a key of mine to the row":
            attacker.execute("DELETE FROM accounts_browsersession WHERE session_key = %s", [stored_key(cookie)])
            attacker.execute(
                "UPDATE accounts_browsersession SET session_key = %s WHERE session_key = %s", [stored_key(cookie), key]
            )
    thief.cookies[settings.SESSION_COOKIE_NAME] = cookie
    answer = thief.get(acme.url())
    assert answer.status_code == 302
    assert "/account/login/" in answer["Location"]


@pytest.mark.parametrize("bound", [True, False])
def test_nobody_makes_a_super_admin_of_themselves_even_before_a_tenant_is_known(acme, bound):
    with acting_as(acme.owner) if bound else tenant_context(NOBODY):
        with pytest.raises(DatabaseError, match="only the owner of the tables"), transaction.atomic():
            User.objects.filter(pk=acme.owner.user_id).update(is_platform_admin=True)
        with pytest.raises(DatabaseError, match="only the owner of the tables"), transaction.atomic():
            User.objects.create(email=f"{new_id().hex}@evil.example", name="x", is_platform_admin=True)


def test_a_key_that_the_installation_did_not_seal_verifies_no_token(api, acme):
    """Even where somebody could write it, as SQL injected into sign-in can."""
    mine = Ed25519PrivateKey.generate()
    kid = signing_keys.kid_of(mine.public_key())
    values = {"public": mine.public_key().public_bytes_raw(), "signs_from": clock.now() + timedelta(days=9)}
    pair = api.post("/api/v1/auth/token", {"email": acme.owner.user.email, "password": PASSWORD, "tenant": acme.slug})
    with tenant_context(NOBODY):
        row = SigningKey.objects.create(kid=kid, sealed="", **values)
    try:
        signing_keys.forget()
        claims = jwt.decode(pair.json()["access"], options={"verify_signature": False})
        forged = jwt.encode(claims, mine, algorithm="EdDSA", headers={"kid": kid, "typ": "at+jwt"})
        for text, status in ((forged, 401), (pair.json()["access"], 200)):
            answer = api.get("/api/v1/members", headers={"Authorization": f"Bearer {text}"})
            assert answer.status_code == status
        assert kid not in str(api.get("/.well-known/jwks.json").json())
    finally:
        with superuser() as admin:
            admin.execute("DELETE FROM accounts_signingkey WHERE kid = %s", [row.kid])
        signing_keys.forget()


def test_a_super_admin_is_made_and_unmade_by_a_command_and_the_platforms_log_tells_of_both(acme):
    user = person("root", new_id().hex[-8:])
    call_command("super_admin", user.email.upper(), stdout=StringIO())
    with pytest.raises(CommandError, match="it is so already"):
        call_command("super_admin", user.email)
    user.refresh_from_db()
    assert user.is_platform_admin
    call_command("super_admin", user.email, "--take-away", stdout=StringIO())
    user.refresh_from_db()
    assert not user.is_platform_admin
    with as_system(PLATFORM_TENANT_ID):
        rows = Entry.objects.filter(action__startswith="person.").order_by("time", "id")
        told = [row.action for row in rows if row.facts.get("person") == str(user.pk)]
    assert told == ["person.made_super_admin", "person.unmade_super_admin"]


def test_without_the_owners_connection_no_super_admin_is_made(acme, monkeypatch):
    monkeypatch.delitem(connections.settings, "owner")
    with pytest.raises(CommandError, match="DATABASE_OWNER_URL"):
        call_command("super_admin", acme.owner.user.email)
    with pytest.raises(CommandError, match="Nobody has this address"):
        call_command("super_admin", "nobody@nowhere.example")
