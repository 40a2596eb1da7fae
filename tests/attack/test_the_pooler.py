"""The wall through PgBouncer in transaction mode, and with Django's own pool: no state of one client reaches another."""

from __future__ import annotations

import asyncio
import threading

import pytest
from asgiref.sync import sync_to_async
from django.db import IntegrityError, connection, connections, transaction
from django.db.backends.postgresql.base import DatabaseWrapper

from apps.accounts.models import Team
from apps.tenants.context import as_system
from tests.cast import acting_as
from tests.proof import load
from tests.proof.pooler import PROGRAM, pooler, through

needs_pgbouncer = pytest.mark.skipif(PROGRAM is None, reason="pgbouncer is not installed")


def rows() -> list[object]:
    """The tenants whose teams a statement without any filter sees."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT tenant_id FROM accounts_team")
        return [row[0] for row in cursor.fetchall()]


@pytest.fixture(params=["statement", "transaction"])
def mode(request, wall, monkeypatch):
    """Both ways to bind."""
    monkeypatch.setitem(connection.settings_dict, "BIND_MODE", request.param)
    return request.param


@pytest.fixture
def teams(acme, globex):
    acme.team("Ours")
    globex.team("Theirs")
    return acme, globex


@pytest.fixture
def one(mode):
    """A pooler with a single server connection: what one client left there, the next one would find."""
    with pooler(servers=1) as made, through(made):
        yield made


@needs_pgbouncer
def test_a_session_setting_does_leak_through_this_pooler(teams, one):
    """The control: with state in the session, as others bind a tenant, the next client reads the first one's rows."""
    acme, _globex = teams
    seen: list[object] = []
    with acting_as(acme.owner), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('orkestra.bound', current_setting('orkestra.bound'), false)")

    def next_client() -> None:
        connection.ensure_connection()
        seen.extend(connection.connection.execute("SELECT DISTINCT tenant_id FROM accounts_team").fetchall())
        connection.close()

    thread = threading.Thread(target=next_client)
    thread.start()
    thread.join()
    assert seen == [(acme.id,)]


@needs_pgbouncer
def test_each_statement_in_autocommit_is_bound_and_leaves_nothing(teams, one):
    for company in teams * 3:
        with acting_as(company.owner):
            assert rows() == [company.id]
    assert rows() == []


@needs_pgbouncer
def test_savepoints_and_aborted_transactions_keep_their_tenant(teams, one):
    acme, globex = teams
    with acting_as(acme.owner), transaction.atomic():
        assert rows() == [acme.id]
        with pytest.raises(IntegrityError), transaction.atomic():
            Team.objects.create(name="Ours", slug="ours")
        assert rows() == [acme.id]
        with acting_as(globex.owner), transaction.atomic():
            assert rows() == [globex.id]
        assert rows() == [acme.id]
    with acting_as(globex.owner):
        assert rows() == [globex.id]


@needs_pgbouncer
@pytest.mark.parametrize("many", [False, True])
def test_the_first_statement_of_a_transaction_is_undone_with_it(acme, one, many):
    with acting_as(acme.owner):
        with pytest.raises(ZeroDivisionError), transaction.atomic(), connection.cursor() as cursor:
            sql = "INSERT INTO accounts_team (tenant_id, id, name, slug, created_at) VALUES (%s, gen_random_uuid(), 'x', %s, now())"
            values = [acme.id, "undone"]
            cursor.executemany(sql, [values]) if many else cursor.execute(sql, values)
            1 / 0
        assert not Team.objects.filter(slug="undone").exists()


@needs_pgbouncer
def test_threads_and_async_views_carry_their_own_tenant(teams, one):
    acme, globex = teams

    def look() -> list[object]:
        try:
            return rows()
        finally:
            connections.close_all()

    async def view(company) -> bool:
        with as_system(company.id):
            await asyncio.sleep(0)
            seen = await sync_to_async(look, thread_sensitive=False)()
            return seen == [company.id]

    async def all_views() -> list[bool]:
        return await asyncio.gather(*(view(company) for company in (acme, globex) * 8))

    assert asyncio.run(all_views()) == [True] * 16


@needs_pgbouncer
def test_many_clients_over_two_connections_never_see_another_tenants_row(mode):
    with load.tenants(12) as keys, pooler(servers=load.SERVERS) as made, through(made):
        found = load.run(keys, clients=load.CLIENTS, requests=480, seed=4)
        servers = made.pools(str(connection.settings_dict["NAME"]))
    assert (found.wrong_rows, found.incomplete, found.errors) == (0, 0, [])
    assert found.requests == 480
    assert found.rows >= 480 * load.TEAMS
    assert int(servers["sv_active"]) + int(servers["sv_idle"]) + int(servers["sv_used"]) <= load.SERVERS


def test_djangos_own_pool_hands_no_tenant_on(teams, mode, monkeypatch):
    options = {**connection.settings_dict["OPTIONS"], "pool": {"min_size": 1, "max_size": 1, "timeout": 5}}
    connection.close()
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", options)
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", 0)
    pooled: DatabaseWrapper = connections["default"]  # type: ignore[assignment]
    try:
        backends = set()
        for company in teams * 3:
            with acting_as(company.owner):
                assert rows() == [company.id]
                backends.add(connection.connection.info.backend_pid)
            connection.close()
        assert rows() == []
        assert len(backends) == 1
    finally:
        connection.close()
        pooled.close_pool()
