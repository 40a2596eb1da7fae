"""The wall as the app's own role meets it: what a rival's rows look like from here, and what the catalogue says."""

from __future__ import annotations

import runpy
import threading
from uuid import uuid4

import psycopg
import pytest
from django.core.management import call_command
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models import Count

from apps.accounts.models import Member, Team, TeamMember, User
from apps.comms.management.commands import work
from apps.tenants import catalogue
from apps.tenants.context import MissingContext, TenantContext, tenant_context
from apps.tenants.globals import GLOBAL_TABLES
from apps.tenants.models import PLATFORM_TENANT_ID, Tenant, TenantModel
from tests import database
from tests.cast import Company, acting_as

WALLED = sorted(catalogue.tenant_tables())


def raw(sql: str, *params: object) -> list[tuple[object, ...]]:
    """What a statement returns on the app's own connection, under the context in force."""
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return list(cursor.fetchall()) if cursor.description else []


def test_the_app_runs_as_a_role_without_special_powers(wall):
    name, superuser, bypasses, creates = raw(
        "SELECT rolname, rolsuper, rolbypassrls, rolcreaterole OR rolcreatedb FROM pg_roles WHERE rolname = current_user"
    )[0]
    assert name == "orkestra_app"
    assert not superuser
    assert not bypasses
    assert not creates


def test_the_catalogue_shows_no_fault(wall):
    assert catalogue.faults() == []


def _start_web() -> None:
    runpy.run_module("orkestra.wsgi")


def _start_worker() -> None:
    call_command("work")


@pytest.mark.parametrize("start", [_start_web, _start_worker])
def test_neither_web_nor_worker_starts_behind_a_broken_wall(wall, monkeypatch, start):
    monkeypatch.setattr(work, "run", lambda *_: pytest.fail("the worker runs"))
    with database.superuser() as admin:
        admin.execute("ALTER TABLE forms_form NO FORCE ROW LEVEL SECURITY")
        try:
            with pytest.raises(catalogue.BrokenWall, match="forms_form"):
                start()
        finally:
            admin.execute("ALTER TABLE forms_form FORCE ROW LEVEL SECURITY")


def test_every_table_is_walled_or_declared_global(wall):
    tables = {row[0] for row in raw("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}
    assert tables == set(WALLED) | set(GLOBAL_TABLES)


@pytest.mark.parametrize("table", WALLED)
def test_without_a_context_a_table_is_empty(acme, table):
    assert raw(f'SELECT count(*) FROM "{table}"') == [(0,)]


@pytest.mark.parametrize("table", WALLED)
def test_a_rival_sees_no_row_of_another_tenant(acme, globex, table):
    with acting_as(globex.owner):
        assert raw(f'SELECT count(*) FROM "{table}" WHERE tenant_id = %s', acme.id) == [(0,)]
        assert raw(f'SELECT count(*) FROM "{table}" WHERE tenant_id <> %s', globex.id) == [(0,)]


def test_a_rival_sees_neither_the_tenant_nor_its_people(acme, globex):
    with acting_as(globex.owner):
        assert not Tenant.objects.filter(pk=acme.id).exists()
        assert not User.objects.filter(pk=acme.owner.user_id).exists()
        assert {user.pk for user in User.objects.all()} == set(Member.objects.values_list("user_id", flat=True))


@pytest.mark.parametrize("verb", ["UPDATE accounts_team SET name = 'x'", "DELETE FROM accounts_team"])
def test_a_rival_changes_no_row_of_another_tenant(acme, globex, verb):
    team = acme.team("Finance")
    with acting_as(globex.owner), connection.cursor() as cursor:
        cursor.execute(f"{verb} WHERE id = %s", [team.pk])
        assert cursor.rowcount == 0
    with acting_as(acme.owner):
        assert Team.objects.get(pk=team.pk).name == "Finance"


def test_a_row_cannot_be_written_for_another_tenant(acme, globex):
    with acting_as(globex.owner), pytest.raises(DatabaseError, match="row-level security"):
        Team(tenant_id=acme.id, name="spoof", slug="spoof").save(force_insert=True)


def test_a_reference_across_tenants_cannot_exist(acme, globex):
    team = acme.team("Finance")
    with acting_as(acme.owner), pytest.raises(IntegrityError, match="foreign key"):
        TeamMember.objects.create(team=team, member=globex.editor)


def test_moving_a_row_to_another_tenant_is_refused(acme, globex):
    team = acme.team("Finance")
    with acting_as(acme.owner), pytest.raises(DatabaseError, match="row-level security"), transaction.atomic():
        raw("UPDATE accounts_team SET tenant_id = %s WHERE id = %s", globex.id, team.pk)


def test_joins_carry_the_tenant(acme):
    with acting_as(acme.owner):
        sql = str(Member.objects.filter(team_memberships__team__slug="x").query)
    assert sql.count('"tenant_id" = (') == 2


def test_the_manager_raises_where_no_tenant_is_known(wall):
    with pytest.raises(MissingContext):
        Member.objects.count()


def test_a_thread_starts_without_a_context_and_sees_nothing(acme):
    seen: list[object] = []

    def look() -> None:
        seen.append(raw("SELECT count(*) FROM accounts_member"))
        connection.close()

    with acting_as(acme.owner):
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
    assert seen == [[(0,)]]


def test_the_binding_follows_the_context_inside_one_transaction_and_its_savepoints(acme, globex):
    def visible() -> set[object]:
        return {row[0] for row in raw("SELECT DISTINCT tenant_id FROM accounts_member")}

    with transaction.atomic():
        with acting_as(acme.owner):
            assert visible() == {acme.id}
            with pytest.raises(ZeroDivisionError), transaction.atomic():
                with acting_as(globex.owner):
                    assert visible() == {globex.id}
                1 / 0
            assert visible() == {acme.id}
        assert visible() == set()


def test_an_aborted_transaction_is_rolled_back_to_its_savepoint(acme):
    team = acme.team("Finance")
    with acting_as(acme.owner), transaction.atomic():
        with pytest.raises(IntegrityError), transaction.atomic():
            Team.objects.create(name="Other", slug=team.slug)
        made, created = Team.objects.get_or_create(slug=team.slug, defaults={"name": "Other"})
    assert (made.pk, created) == (team.pk, False)


def test_nothing_stays_bound_on_the_connection(acme):
    with acting_as(acme.owner):
        Member.objects.count()
    assert raw("SELECT current_setting('orkestra.tenant', true)")[0][0] == ""


def test_many_statements_at_once_are_bound_too(acme, globex):
    team = acme.team("Finance")
    with acting_as(globex.owner), connection.cursor() as cursor:
        cursor.executemany("UPDATE accounts_team SET name = %s WHERE id = %s", [("x", team.pk), ("y", team.pk)])
    with acting_as(acme.owner):
        assert Team.objects.get(pk=team.pk).name == "Finance"


def test_grouping_works_with_the_composite_key(acme):
    acme.team("Finance", acme.editor, acme.reviewer)
    with acting_as(acme.owner):
        assert list(Team.objects.annotate(size=Count("memberships")).values_list("size", flat=True)) == [2]


def test_bind_mode_transaction_holds_the_same_wall(acme, globex, monkeypatch):
    monkeypatch.setitem(connection.settings_dict, "BIND_MODE", "transaction")
    with acting_as(globex.owner):
        assert raw("SELECT DISTINCT tenant_id FROM accounts_member") == [(globex.id,)]
        with transaction.atomic():
            assert raw("SELECT DISTINCT tenant_id FROM accounts_member") == [(globex.id,)]
    assert raw("SELECT count(*) FROM accounts_member") == [(0,)]


def test_the_context_takes_only_real_ids(acme):
    with tenant_context(TenantContext(tenant="x'; SELECT 1; --")), pytest.raises(TypeError):  # type: ignore[arg-type]
        raw("SELECT 1")


def test_a_person_sees_their_own_memberships_before_a_tenant_is_known(acme, globex):
    with tenant_context(TenantContext(user=acme.editor.user_id)):
        assert raw("SELECT id FROM accounts_member") == [(acme.editor.pk,)]
        assert [tenant.pk for tenant in Tenant.objects.all()] == [acme.id]


def test_with_a_tenant_bound_a_persons_other_memberships_are_not_shown(acme, globex):
    from apps.accounts import actions
    from apps.accounts.rules import Role

    with acting_as(globex.owner):
        twice = actions.add_member(acme.editor.user, role=Role.MEMBER, by=globex.owner)
    with acting_as(twice):
        assert raw("SELECT DISTINCT tenant_id FROM accounts_member") == [(globex.id,)]


@pytest.mark.parametrize("statement", ["SET ROLE orkestra_owner", "SET SESSION AUTHORIZATION orkestra_owner"])
def test_the_app_cannot_become_another_role(wall, statement):
    with pytest.raises(DatabaseError, match="permission denied"):
        raw(statement)


@pytest.mark.parametrize("table", WALLED)
def test_the_app_can_neither_truncate_nor_switch_the_wall_off(wall, table):
    for statement in (f'TRUNCATE "{table}"', f'ALTER TABLE "{table}" DISABLE ROW LEVEL SECURITY'):
        with pytest.raises(DatabaseError):
            raw(statement)


def test_row_security_off_gives_an_error_and_no_rows(acme):
    with pytest.raises(DatabaseError, match="row-level security"), transaction.atomic():
        raw("SET LOCAL row_security = off")
        raw("SELECT count(*) FROM accounts_member")


MUTATIONS = [
    'ALTER TABLE "{table}" NO FORCE ROW LEVEL SECURITY',
    'ALTER TABLE "{table}" DISABLE ROW LEVEL SECURITY',
    'DROP POLICY tenant ON "{table}"',
    'GRANT TRUNCATE ON "{table}" TO orkestra_app',
    'GRANT SELECT ON "{table}" TO PUBLIC',
    'CREATE POLICY open ON "{table}" USING (true)',
    'CREATE UNIQUE INDEX leak ON "{table}" (id) WHERE id IS NULL',
]


@pytest.mark.parametrize("table", WALLED)
@pytest.mark.parametrize("mutation", MUTATIONS)
def test_the_catalogue_check_names_every_hole(wall, table, mutation):
    """Each hole is made inside a transaction of the superuser that never commits, and looked at from there."""
    with psycopg.connect(database.admin_url(str(connection.settings_dict["NAME"]))) as admin:
        admin.execute("SET LOCAL ROLE orkestra_owner")
        admin.execute(mutation.format(table=table))  # type: ignore[call-overload]
        found = catalogue.faults_seen_by(admin.cursor())
        admin.rollback()
    assert found
    assert any(table in fault for fault in found)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("ALTER POLICY tenant ON forms_form USING ({reads} OR true)", "policy tenant on forms_form"),
        ("ALTER POLICY tenant ON forms_form WITH CHECK ({reads} OR true)", "policy tenant on forms_form"),
        ("ALTER POLICY people ON accounts_user USING ({unbound} OR true)", "policy people on accounts_user"),
        (
            "CREATE OR REPLACE FUNCTION {head} 'SELECT gen_random_uuid()'",
            "function orkestra_owner_tenant has another body",
        ),
        ("CREATE FUNCTION other() RETURNS int LANGUAGE sql AS 'SELECT 1'", "function other is not declared"),
        ("GRANT orkestra_owner TO orkestra_app", "role orkestra_app is a member of orkestra_owner"),
        ("GRANT pg_read_all_data TO orkestra_platform", "role orkestra_platform is a member of pg_read_all_data"),
    ],
)
def test_what_only_looks_like_the_wall_is_named(wall, change, told):
    parts = {
        "reads": "tenant_id = (SELECT orkestra_tenant())",
        "unbound": "(SELECT orkestra_before_tenant())",
        "head": "orkestra_owner_tenant() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE AS",
    }
    with psycopg.connect(database.admin_url(str(connection.settings_dict["NAME"]))) as admin:
        admin.execute(change.format(**parts))  # type: ignore[call-overload]
        found = catalogue.faults_seen_by(admin.cursor())
        admin.rollback()
    assert [fault.startswith(told) for fault in found] == [True], found


def test_the_platform_tenant_exists_and_is_walled_like_any_other(acme):
    with tenant_context(TenantContext.system(PLATFORM_TENANT_ID)):
        assert [tenant.slug for tenant in Tenant.objects.all()] == ["platform"]


def test_a_super_admin_reads_across_tenants_and_writes_in_none(acme, globex):
    with tenant_context(TenantContext(user=uuid4(), platform=True)):
        assert {acme.id, globex.id} <= set(Member.objects.values_list("tenant_id", flat=True))
        with pytest.raises(DatabaseError, match="row-level security"):
            Team(tenant_id=acme.id, name="x", slug="x").save(force_insert=True)


def test_every_tenant_model_has_its_policy_in_its_state():
    from django.apps import apps

    from apps.tenants.policies import TenantPolicy

    models = [model for model in apps.get_models() if issubclass(model, TenantModel)]
    assert models
    for model in models:
        assert any(isinstance(constraint, TenantPolicy) for constraint in model._meta.constraints), model


def company_urls(company: Company) -> list[str]:
    return [company.url(), company.url("forms/"), company.url("settings/audit-log/")]


def test_a_rivals_pages_do_not_exist(acme, globex, browse):
    client = browse(globex.owner)
    for url in company_urls(acme):
        assert client.get(url).status_code == 404, url
