"""The bound context is signed: injected SQL cannot bind another tenant, and every try is recorded."""

from __future__ import annotations

import time
from uuid import UUID

import psycopg
import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import DatabaseError, connection, connections, transaction

from apps.accounts.models import Member, Team
from apps.accounts.sessions import stored_key
from apps.audit.models import Entry
from apps.tenants import bound, context_keys, roles, signing
from apps.tenants.backend import base
from apps.tenants.context import TenantContext, as_system, tenant_context
from apps.tenants.models import PLATFORM_TENANT_ID
from apps.tenants.security_events import Kind
from apps.tenants.slots import Watcher, slots
from tests import database
from tests.cast import acting_as

ROLES = {"default": roles.APP, "platform": roles.PLATFORM, "sealer": roles.SEALER}


def raw(sql: str, *params: object) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return list(cursor.fetchall()) if cursor.description else []


def kid() -> str:
    """The id of the newest key, as the app asks for it."""
    return str(raw("SELECT orkestra_context_kid(%s)", signing.fingerprint(settings.SECRET_KEY))[0][0])


def signed(tenant: UUID | None, person: UUID | None = None, *, expires: int = 0, secret: str = "") -> str:
    """A value as the app would bind it; `expires` and `secret` are what an attacker would like to choose."""
    key = signing.key_of(secret or settings.SECRET_KEY, kid())
    return signing.sign(key, kid(), tenant, person, expires or signing.expiry(time.time()))


def tried(sql: str) -> tuple[str, list[tuple[object, ...]]]:
    """The SQLSTATE of the error, or empty and the rows."""
    try:
        return "", raw(sql)
    except DatabaseError as error:
        return str(getattr(error.__cause__, "sqlstate", "?")), []


def forgeries() -> list[Entry]:
    with as_system(PLATFORM_TENANT_ID):
        return list(Entry.objects.filter(action="context.forged").order_by("id"))


def forged(company):
    """What somebody could bind who knows another tenant's id and no key, by name."""
    honest = signed(None)
    return {
        "the bare id": str(company.id),
        "another secret": signed(company.id, secret="x" * 50),
        "a swapped tenant": honest.replace("..", f".{company.id}.", 1),
        "an unknown key": "nobody-1" + signed(company.id).partition("-")[2][1:],
        "no mac": f"{kid()}.{company.id}..{signing.expiry(time.time())}.",
        "a longer life": signed(company.id, expires=1).replace(".1.", ".9999999999."),
        "not hexadecimal": signed(company.id)[:-2] + "zz",
        "quotes and bytes": "'\\x00\\\\é.....",
    }


WAYS = [
    "SELECT tenant_id, set_config('orkestra.bound', {value}, true) IS NOT NULL FROM accounts_member",
    "SELECT tenant_id FROM accounts_member WHERE (SELECT set_config('orkestra.bound', {value}, true)) IS NOT NULL",
    "WITH x AS MATERIALIZED (SELECT set_config('orkestra.bound', {value}, true)) SELECT tenant_id FROM x, accounts_member",
    "SET LOCAL orkestra.bound = {value}; SELECT tenant_id FROM accounts_member",
    "SET orkestra.bound = {value}; SELECT tenant_id FROM accounts_member",
    "COMMIT; BEGIN; SET LOCAL orkestra.bound = {value}; SELECT tenant_id FROM accounts_member; COMMIT",
    "DO $x$ BEGIN PERFORM set_config('orkestra.bound', {value}, false); PERFORM 1 FROM accounts_member; END $x$",
]


@pytest.mark.parametrize("way", WAYS)
def test_a_forged_context_gives_an_error_or_nothing_and_never_a_foreign_row(acme, globex, way):
    for forgery in forged(acme).values():
        try_one(globex, way, "'" + forgery.replace("'", "''") + "'")


def try_one(globex, way: str, value: str) -> None:
    """Inject one value in one way into a statement of the rival."""
    with acting_as(globex.owner):
        state, found = tried(way.format(value=value).replace("%", "%%"))
        assert state in {"", base.FORGED}
        assert {row[0] for row in found} <= {globex.id}  # judged before the injected part ran
        connection.rollback()
        with pytest.raises(DatabaseError, match="not signed"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL orkestra.bound = {value}; SELECT count(*) FROM accounts_team")
    raw("RESET orkestra.bound")


def test_a_forged_context_is_logged_and_recorded_even_though_its_transaction_is_undone(acme, globex):
    heard: list[dict[str, object]] = []
    slots.watchers.add(Watcher("test.heard", lambda event: heard.append({"kind": event.kind, **event.facts})))
    before = len(forgeries())
    try:
        with acting_as(globex.owner) as acting, pytest.raises(DatabaseError), transaction.atomic():
            Team.objects.create(name="Undone", slug="undone")
            raw(f"SET LOCAL orkestra.bound = '{signed(acme.id, secret='guess')}'; SELECT 1 FROM accounts_member")
    finally:
        slots.watchers._entries.pop("test.heard")
    expected = {"reason": "forged", "role": "default", "tenant": str(globex.id), "user": str(globex.owner.user_id)}
    assert heard == [{"kind": Kind.CONTEXT_FORGED, "request_id": acting.request_id, **expected}]
    entries = forgeries()
    assert len(entries) == before + 1
    assert entries[-1].outcome == "refused"
    assert str(globex.id).encode() in bytes(entries[-1].body)
    with acting_as(globex.owner):
        assert not Team.objects.filter(slug="undone").exists()


ATTACKS = {
    "another tenant's id": "SELECT set_config('orkestra.bound', '{id}', true); SELECT 1 FROM accounts_member",
    "another tenant's id, bound by force": "SET LOCAL orkestra.bound = '{forged}'; SELECT 1 FROM accounts_member",
    "an expired context": "SET LOCAL orkestra.bound = '{old}'; SELECT 1 FROM accounts_member",
    "the key": "SELECT 1; SELECT inner_block FROM tenants_contextkey",
    "the key in a part of a statement": "SELECT (SELECT max(kid) FROM tenants_contextkey) FROM accounts_team",
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_each_attack_by_injected_sql_is_an_error_an_event_and_an_entry(acme, globex, attack):
    heard: list[tuple[str, object]] = []
    slots.watchers.add(Watcher("test.heard", lambda event: heard.append((event.kind, event.facts["reason"]))))
    old = signed(acme.id, expires=int(time.time()) - 1)
    sql = ATTACKS[attack].format(id=acme.id, forged=signed(acme.id, secret="guess"), old=old)
    before, reason = len(forgeries()), {"the": "keys", "an ": "expired"}.get(attack[:3], "forged")
    try:
        with acting_as(globex.owner), pytest.raises(DatabaseError), transaction.atomic():
            raw(sql)
    finally:
        slots.watchers._entries.pop("test.heard")
    assert heard == [(Kind.CONTEXT_FORGED, reason)]
    (entry,) = forgeries()[before:]
    assert entry.outcome == "refused"
    assert f'"reason":"{reason}"'.encode() in bytes(entry.body)
    assert str(globex.id).encode() in bytes(entry.body)


def test_a_statement_that_catches_its_own_refusal_gets_nothing_all_the_same(acme, globex):
    forged = signed(acme.id, secret="guess")
    sql = (
        "DO $x$ BEGIN PERFORM set_config('orkestra.bound', '{value}', true); PERFORM 1 FROM accounts_member;"
        " EXCEPTION WHEN OTHERS THEN NULL; END $x$; SELECT tenant_id FROM accounts_member"
    )
    with acting_as(globex.owner):
        try:
            found = raw(sql.format(value=forged).replace("%", "%%"))
        except DatabaseError:
            found = []
    assert {row[0] for row in found} <= {globex.id}


@pytest.mark.parametrize("mode", ["statement", "transaction"])
def test_an_expired_context_is_refused_and_recorded(acme, monkeypatch, mode):
    monkeypatch.setitem(connection.settings_dict, "BIND_MODE", mode)
    before = len(forgeries())
    old = signed(acme.id, acme.owner.user_id, expires=int(time.time()) - 1)
    with acting_as(acme.owner), pytest.raises(DatabaseError, match="expired"), transaction.atomic():
        raw(f"SET LOCAL orkestra.bound = '{old}'; SELECT count(*) FROM accounts_member")
    entries = forgeries()[before:]
    assert [b'"reason":"expired"' in bytes(entry.body) for entry in entries] == [True]


def test_a_value_of_the_app_itself_opens_exactly_its_tenant(acme, globex):
    """The control of the tests above: what makes the difference is the signature, and nothing else."""
    sql = f"SET LOCAL orkestra.bound = '{signed(acme.id)}'; SELECT DISTINCT tenant_id FROM accounts_member"
    assert last_rows(sql) == [(acme.id,)]


def test_taking_the_context_away_shows_nothing_and_opens_no_table_of_people(acme, globex):
    for table in ("accounts_user", "accounts_tokenfamily", "account_emailaddress", "accounts_member"):
        with acting_as(globex.owner):
            assert raw(f"SET LOCAL orkestra.bound = ''; SELECT count(*) FROM {table}") == [(0,)]
        assert last_rows(f"SELECT count(*) FROM {table}") == [(0,)]


def test_no_session_of_another_tenants_people_is_read_or_changed(acme, globex, browse):
    """A session key that injected SQL could read would be a way into another tenant."""
    client = browse(acme.owner)
    assert client.get(acme.url()).status_code == 200
    key = stored_key(client.cookies[settings.SESSION_COOKIE_NAME].value)
    with acting_as(globex.owner), connection.cursor() as cursor:
        assert raw("SELECT count(*) FROM accounts_browsersession WHERE session_key = %s", key) == [(0,)]
        cursor.execute("DELETE FROM accounts_browsersession WHERE session_key = %s", [key])
        assert cursor.rowcount == 0
        cursor.execute("DELETE FROM accounts_browsersession")
    assert client.get(acme.url()).status_code == 200


def last_rows(sql: str) -> list[tuple[object, ...]]:
    """What the last of several statements returns on the app's raw connection, in one message and unbound."""
    connection.ensure_connection()
    cursor = connection.connection.execute(sql)
    while cursor.nextset():
        pass
    return list(cursor.fetchall())


def test_a_person_without_the_signature_opens_no_membership(acme):
    sql = f"SET LOCAL orkestra.bound = '{kid()}..{acme.owner.user_id}.9999999999.{'0' * 64}'; SELECT 1 FROM accounts_member"
    with pytest.raises(psycopg.DatabaseError, match="not signed"):
        last_rows(sql)
    assert last_rows(f"SET LOCAL orkestra.person = '{acme.owner.user_id}'; SELECT 1 FROM accounts_member") == []


def test_what_the_owner_binds_opens_nothing_to_the_app(acme):
    sql = f"SET LOCAL orkestra.tenant = '{acme.id}'; SELECT count(*) FROM accounts_member"
    assert last_rows(sql) == [(0,)]


@pytest.mark.parametrize("alias", ROLES)
@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM tenants_contextkey",
        "SELECT kid FROM tenants_contextkey",
        "COPY tenants_contextkey TO STDOUT",
        "INSERT INTO tenants_contextkey (kid, fingerprint, inner_block, outer_block, made_at) VALUES ('x', 'x', '', '', now())",
        "UPDATE tenants_contextkey SET retires_at = NULL",
        "DELETE FROM tenants_contextkey",
        "CREATE OR REPLACE FUNCTION orkestra_tenant() RETURNS uuid LANGUAGE sql AS 'SELECT NULL::uuid'",
    ],
)
def test_no_working_role_touches_the_keys_or_the_functions_that_read_them(wall, alias, statement):
    with pytest.raises(DatabaseError, match=r"permission denied|must be owner"), connections[alias].cursor() as cursor:
        cursor.execute(statement)


def test_the_key_is_in_no_column_that_the_app_can_read_elsewhere(wall):
    for sql in (
        "SELECT prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
        "SELECT defaclacl::text FROM pg_default_acl",
        "SELECT setconfig::text FROM pg_db_role_setting",
    ):
        key = signing.key_of(settings.SECRET_KEY, kid()).hex()
        assert not any(key in str(row[0]) for row in raw(sql))
    for view in ("pg_stats", "pg_stat_activity"):
        with pytest.raises(DatabaseError, match="permission denied"):
            raw(f"SELECT 1 FROM {view}")


def test_keys_change_without_a_stop(acme):
    """A process that still signs with the old key works on; the next minute's takes the new one; the retired one ends."""
    first = kid()
    with acting_as(acme.owner):
        Member.objects.count()
        call_command("rotate_context_key", verbosity=0)
        second = kid()
        assert second != first
        assert bound._Newest.kid == first
        assert Member.objects.count() == 4
        bound.forget()
        assert Member.objects.count() == 4
        assert bound._Newest.kid == second
    with database.superuser() as admin:
        admin.execute("UPDATE tenants_contextkey SET retires_at = now() WHERE kid = %s", [first])
    value = signing.sign(signing.key_of(settings.SECRET_KEY, first), first, acme.id, None, signing.expiry(time.time()))
    with pytest.raises(psycopg.DatabaseError, match="not signed"):
        last_rows(f"SET LOCAL orkestra.bound = '{value}'; SELECT 1 FROM accounts_member")
    with as_system(PLATFORM_TENANT_ID):
        assert Entry.objects.filter(action="context.key_rotated").exists()


def test_a_new_secret_has_its_key_before_the_processes_have_the_secret(acme, settings):
    with acting_as(acme.owner):
        assert Member.objects.count() == 4
        old = settings.SECRET_KEY
        settings.SECRET_KEY = "a new secret of at least thirty-two characters"
        bound.forget()
        with pytest.raises(bound.NoContextKey):
            Member.objects.count()
        made = context_keys.rotate()
        assert Member.objects.count() == 4
        assert bound._Newest.kid == made
        settings.SECRET_KEY = old
        bound.forget()
        assert Member.objects.count() == 4


def test_without_a_key_of_this_secret_nothing_is_read(acme, settings):
    settings.SECRET_KEY = "a secret that no key was made from"
    bound.forget()
    try:
        with acting_as(acme.owner), pytest.raises(bound.NoContextKey):
            Member.objects.count()
        with tenant_context(TenantContext()), pytest.raises(bound.NoContextKey):
            raw("SELECT count(*) FROM accounts_user")
    finally:
        bound.forget()


def test_the_database_computes_the_same_hmac_as_python(wall):
    """RFC 4231, test case 2, through the two blocks and sha256() alone."""
    inner, outer = signing.blocks(b"Jefe")
    sql = "SELECT encode(sha256(%s::bytea || sha256(%s::bytea || convert_to(%s, 'UTF8'))), 'hex')"
    expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert raw(sql, outer, inner, "what do ya want for nothing?") == [(expected,)]
