"""What an injected statement could try beside reading rows; docs/threat-model.md has a row for each of these."""

from __future__ import annotations

import re

import pytest
from django.db import DatabaseError, connection, connections

from apps.accounts.models import Team
from apps.tenants import catalogue
from tests.cast import acting_as

ROLES = ["default", "platform", "sealer"]
CLOSED = {
    "other sessions": "SELECT query FROM pg_stat_activity",
    "other sessions by function": "SELECT pg_stat_get_activity(NULL)",
    "ending a session": "SELECT pg_terminate_backend(1)",
    "cancelling a statement": "SELECT pg_cancel_backend(1)",
    "statistics of columns": "SELECT most_common_vals FROM pg_stats",
    "statistics behind the view": "SELECT stavalues1 FROM pg_statistic",
    "extended statistics": "SELECT * FROM pg_stats_ext",
    "prepared transactions": "SELECT * FROM pg_prepared_xacts",
    "waiting for a lock by number": "SELECT pg_advisory_xact_lock_shared(1)",
    "trying a lock by number": "SELECT pg_try_advisory_lock(1)",
    "making a large object": "SELECT lo_create(0)",
    "writing a large object": "SELECT lo_from_bytea(0, 'x')",
    "reading a large object": "SELECT lo_get(1)",
    "large objects behind the functions": "SELECT * FROM pg_largeobject",
    "a temporary table": "CREATE TEMP TABLE notes (text text)",
    "a table": "CREATE TABLE public.notes (text text)",
    "a function": "CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "a view": "CREATE VIEW public.v AS SELECT 1",
    "an extension": "CREATE EXTENSION dblink",
    "files of the server": "SELECT pg_read_file('postgresql.conf')",
    "files by COPY": "COPY accounts_team TO '/tmp/teams'",
    "programs by COPY": "COPY accounts_team TO PROGRAM 'cat'",
    "the passwords of roles": "SELECT rolpassword FROM pg_authid",
    "hiding from the server's log": "SET log_min_error_statement = 'panic'",
    "a trigger": "CREATE TRIGGER t AFTER INSERT ON accounts_team EXECUTE FUNCTION orkestra_meter_accounts_member()",
    "counting by hand": "SELECT orkestra_count(NULL, 'members', '', -1)",
    "the triggers of replication": "SET session_replication_role = replica",
}


@pytest.mark.parametrize("alias", ROLES)
@pytest.mark.parametrize("channel", CLOSED)
def test_a_channel_is_closed_to_every_working_role(wall, alias, channel):
    with (
        pytest.raises(DatabaseError, match=r"permission denied|must be|superuser"),
        connections[alias].cursor() as cursor,
    ):
        cursor.execute(CLOSED[channel])


def test_a_key_that_another_tenant_uses_is_free(acme, globex):
    """No oracle in unique constraints: the same id and the same short name are taken by each tenant for itself."""
    theirs = acme.team("Finance")
    with acting_as(globex.owner):
        made = Team(id=theirs.pk, name="Finance", slug=theirs.slug)
        made.save(force_insert=True)
        assert Team.objects.get(pk=theirs.pk).tenant_id == globex.id


def test_an_error_tells_no_value_of_a_row(acme):
    acme.team("Finance")
    with acting_as(acme.owner), pytest.raises(DatabaseError) as caught:
        Team.objects.create(name="Again", slug="finance")
    assert caught.value.__cause__.diag.message_detail is None  # type: ignore[union-attr]


def test_no_table_of_a_tenant_counts_all_tenants_rows_by_a_sequence(wall):
    sql = """SELECT t.relname FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
             JOIN pg_class t ON t.oid = d.refobjid WHERE t.relnamespace = 'public'::regnamespace"""
    with connection.cursor() as cursor:
        cursor.execute(sql)
        assert not {row[0] for row in cursor.fetchall()} & set(catalogue.tenant_tables())


def test_a_plan_shows_no_value_and_runs_under_the_same_wall(acme, globex):
    with acting_as(globex.owner), connection.cursor() as cursor:
        cursor.execute("EXPLAIN (ANALYZE, VERBOSE) SELECT * FROM accounts_team WHERE tenant_id = %s", [acme.id])
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "orkestra_tenant" in plan
    assert set(re.findall(r"actual time=\S+ rows=([\d.]+)", plan.splitlines()[0])) <= {"0", "0.00"}


def test_the_context_is_verified_once_a_statement_and_not_once_a_row(acme):
    """The functions of the policy stand in an init plan."""
    acme.team("Finance")
    with acting_as(acme.owner), connection.cursor() as cursor:
        cursor.execute("EXPLAIN (ANALYZE, VERBOSE) SELECT * FROM accounts_member")
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert re.search(r"InitPlan.*\n.*Result.*loops=1", plan), plan
