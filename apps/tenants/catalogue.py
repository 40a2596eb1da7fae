"""The wall as the database's own catalogue shows it: what is granted, what is forced, what is missing.

`apply_grants` makes the privileges of app, platform and sealer exactly what the models and the list of global tables
declare. `faults` compares tables, row-level security, each policy to its last word, keys, those privileges, the bodies of
functions by their hash, and who is a member of which role, and names each difference. It compares no triggers and no
columns. It runs after every migration and at every start, and a fault stops both.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db import connections

from .declared import FUNCTIONS, Policy, declared_policies
from .globals import DEFINER_FUNCTIONS, GLOBAL_TABLES
from .models import Access, TenantModel
from .roles import ALL as ROLES
from .roles import APP, BACKUP, OWNER, PLATFORM, SEALER

Row = tuple[Any, ...]
QUEUE = "procrastinate_"  # its library's own functions, which run with the caller's rights


class BrokenWall(RuntimeError):
    """The database does not hold tenants apart as declared; nothing may start."""


def tenant_tables() -> dict[str, type[TenantModel]]:
    """Every table with a tenant, by name."""
    return {model._meta.db_table: model for model in apps.get_models() if issubclass(model, TenantModel)}


def declared_grants() -> dict[tuple[str, str], set[str]]:
    """(role, table) -> privileges, as the code declares them."""
    declared: dict[tuple[str, str], str] = {}
    for name, model in tenant_tables().items():
        declared[APP, name] = model.access.value
        declared[PLATFORM, name] = Access.READ.value if model.access is Access.READ else model.access.value
        declared[SEALER, name] = model.sealer_access
    for name, table in GLOBAL_TABLES.items():
        declared[APP, name] = table.app
        declared[PLATFORM, name] = table.platform
    return {key: _words(text) for key, text in declared.items() if text}


def apply_grants(using: str = "owner") -> None:
    """Revoke everything from the working roles and grant what is declared; run as the owner of the tables."""
    with connections[using].cursor() as cursor:
        cursor.execute("BEGIN")
        for role in (APP, PLATFORM, SEALER, "PUBLIC"):
            cursor.execute(f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {role}")
            cursor.execute(f"REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM {role}")
        for (role, table), privileges in declared_grants().items():
            cursor.execute(f'GRANT {", ".join(sorted(privileges))} ON "{table}" TO {role}')
        cursor.execute(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {APP}")
        cursor.execute("COMMIT")


def faults(using: str = "default") -> list[str]:
    """Every way in which the database differs from the declared wall; empty when it holds."""
    with connections[using].cursor() as cursor:
        return [*_role_faults(cursor), *faults_seen_by(cursor)]


def faults_seen_by(cursor: Any) -> list[str]:
    """The same from any session that can read the catalogue, whoever it is."""
    checks = (_table_faults, _policy_faults, _key_faults, _grant_faults, _function_faults, _member_faults)
    return [fault for check in checks for fault in check(cursor)]


def refuse_a_broken_wall(using: str = "default") -> None:
    """Raise BrokenWall, naming each fault, unless the wall stands."""
    if found := faults(using):
        raise BrokenWall("The wall between tenants does not stand:\n  " + "\n  ".join(found))


def coverage(using: str = "default") -> dict[str, int]:
    """How many tables are walled of how many, and how many are global by declaration."""
    return {"walled": len(tenant_tables()), "global": len(GLOBAL_TABLES), "faults": len(faults(using))}


@dataclass(frozen=True)
class Covered:
    """One table of tenants as the database has it now."""

    name: str
    title: str
    is_forced: bool
    policies: int
    may: str


def covered(using: str = "default") -> list[Covered]:
    """Every table of tenants, from the catalogue: is its wall enabled and forced, and what may the app do there."""
    sql = f"""
        SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity,
               (SELECT count(*) FROM pg_policy p WHERE p.polrelid = c.oid),
               (SELECT string_agg(lower(a.privilege_type), ', ' ORDER BY a.privilege_type)
                FROM aclexplode(c.relacl) a JOIN pg_roles r ON r.oid = a.grantee WHERE r.rolname = '{APP}')
        FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') ORDER BY c.relname"""
    walled = tenant_tables()
    with connections[using].cursor() as cursor:
        rows = _rows(cursor, sql)
    return [
        Covered(name, str(walled[name]._meta.verbose_name), forced, policies, may or "")
        for name, forced, policies, may in rows
        if name in walled
    ]


def _words(text: str) -> set[str]:
    return {word.strip() for word in text.split(",")}


def _rows(cursor: Any, sql: str) -> list[Row]:
    cursor.execute(sql)
    return list(cursor.fetchall())


def _role_faults(cursor: Any) -> Iterator[str]:
    sql = "SELECT rolname, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user"
    for name, superuser, bypasses in _rows(cursor, sql):
        if superuser or bypasses:
            yield f"role {name} is SUPERUSER or has BYPASSRLS"
    owned = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tableowner = current_user"
    if current_owner := _rows(cursor, owned)[0][0]:
        user = _rows(cursor, "SELECT current_user")[0][0]
        if user != OWNER:
            yield f"role {user} owns {current_owner} tables; only {OWNER} may"


def _table_faults(cursor: Any) -> Iterator[str]:
    walled = tenant_tables()
    sql = """SELECT relname, relkind, relrowsecurity, relforcerowsecurity FROM pg_class
             WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f')"""
    seen = set()
    for name, kind, enabled, forced in _rows(cursor, sql):
        seen.add(name)
        if kind not in {"r", "p"}:
            yield f"{name} is a view or foreign table; none is allowed"
        elif name in walled or (name in GLOBAL_TABLES and GLOBAL_TABLES[name].policies):
            if not (enabled and forced):
                yield f"table {name} lacks ENABLE and FORCE ROW LEVEL SECURITY"
        elif name not in GLOBAL_TABLES:
            yield f"table {name} has no tenant and is not declared global"
    for name in sorted((set(walled) | set(GLOBAL_TABLES)) - seen):
        yield f"table {name} is declared and missing"


def _policy_faults(cursor: Any) -> Iterator[str]:
    sql = """SELECT tablename, policyname, permissive, cmd, roles::text[], coalesce(qual, ''), coalesce(with_check, '')
             FROM pg_policies WHERE schemaname = 'public'"""
    found: dict[tuple[str, str], Policy] = {}
    for table, name, kind, command, roles, *rules in _rows(cursor, sql):
        if kind != "PERMISSIVE":
            yield f"policy {name} on {table} is {kind}; none is declared so"
        found[table, name] = Policy(command, frozenset(roles), *(" ".join(rule.split()) for rule in rules))
    declared = declared_policies(tenant_tables())
    for table, name in sorted(set(found) | set(declared)):
        is_there, wanted = found.get((table, name)), declared.get((table, name))
        if is_there is None or wanted is None:
            yield f"policy {name} on {table} is {'missing' if is_there is None else 'not declared'}"
        elif is_there != wanted:
            yield f"policy {name} on {table} is {is_there}, declared is {wanted}"


def _key_faults(cursor: Any) -> Iterator[str]:
    walled = tenant_tables()
    sql = """
        SELECT c.conrelid::regclass::text, c.conname, c.contype, c.confrelid::regclass::text,
               ARRAY(SELECT attname FROM unnest(c.conkey) WITH ORDINALITY k(n, i)
                     JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.n ORDER BY k.i)::text[]
        FROM pg_constraint c WHERE c.connamespace = 'public'::regnamespace AND c.contype IN ('p', 'u', 'f')"""
    for table, name, kind, target, columns in _rows(cursor, sql):
        if table not in walled:
            continue
        if kind == "p" and columns != ["tenant_id", "id"]:
            yield f"primary key of {table} is {columns}, not (tenant_id, id)"
        elif kind == "u" and "tenant_id" not in columns:
            yield f"unique constraint {name} on {table} lacks tenant_id"
        elif kind == "f" and target in walled and columns[0] != "tenant_id":
            yield f"foreign key {name} of {table} lacks tenant_id"
    unique = """SELECT indrelid::regclass::text, indexrelid::regclass::text FROM pg_index i
                JOIN pg_class c ON c.oid = i.indrelid
                WHERE indisunique AND c.relnamespace = 'public'::regnamespace AND NOT EXISTS (
                  SELECT 1 FROM pg_attribute a WHERE a.attrelid = i.indrelid
                  AND a.attnum = ANY (i.indkey) AND a.attname = 'tenant_id')"""
    for table, name in _rows(cursor, unique):
        if table in walled:
            yield f"unique index {name} on {table} lacks tenant_id"


def _grant_faults(cursor: Any) -> Iterator[str]:
    sql = f"""
        SELECT coalesce(r.rolname, 'PUBLIC'), c.relname, a.privilege_type
        FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND a.grantee <> c.relowner
          AND coalesce(r.rolname, 'PUBLIC') IN ('{APP}', '{PLATFORM}', '{SEALER}', 'PUBLIC')"""
    found: dict[tuple[str, str], set[str]] = {}
    for role, table, privilege in _rows(cursor, sql):
        found.setdefault((role, table), set()).add(privilege)
    declared = declared_grants()
    for key in sorted(set(found) | set(declared)):
        if found.get(key, set()) != declared.get(key, set()):
            yield (
                f"{key[0]} has {sorted(found.get(key, set()))} on {key[1]}, declared is {sorted(declared.get(key, set()))}"
            )


def _function_faults(cursor: Any) -> Iterator[str]:
    sql = """SELECT p.proname, p.prosecdef, p.prosrc, r.rolname, coalesce(p.proconfig::text, ''), p.proacl IS NULL OR EXISTS (
               SELECT 1 FROM aclexplode(p.proacl) a WHERE a.grantee = 0)
             FROM pg_proc p JOIN pg_roles r ON r.oid = p.proowner WHERE p.pronamespace = 'public'::regnamespace
             AND (p.prosecdef OR NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass
                                             AND d.objid = p.oid AND d.deptype = 'e'))"""  # an extension's own
    seen: set[str] = set()
    for name, is_definer, body, owner, config, is_public in _rows(cursor, sql):
        if name.startswith(QUEUE) and not is_definer:
            continue
        found = hashlib.sha256(body.encode()).hexdigest()
        if name in seen or name not in FUNCTIONS:
            yield f"function {name} is not declared, or there twice"
        elif found != FUNCTIONS[name]:
            yield f"function {name} has another body than declared: its SHA-256 is {found}"
        seen.add(name)
        if is_definer != (name in DEFINER_FUNCTIONS):
            yield f"function {name} is {'' if is_definer else 'not '}SECURITY DEFINER, against its declaration"
        if is_definer and (owner != OWNER or "search_path=pg_catalog, pg_temp" not in config):
            yield f"function {name} is not {OWNER}'s, or has no fixed search_path"
        if is_definer and is_public:
            yield f"function {name} is SECURITY DEFINER and PUBLIC may call it"
    for name in sorted(set(FUNCTIONS) - seen):
        yield f"function {name} is declared and missing"


def _member_faults(cursor: Any) -> Iterator[str]:
    """Whoever is a member of a role has its power; a superuser has all in any case, and so has whoever made our roles."""
    sql = """SELECT r.rolname, m.rolname, a.admin_option FROM pg_auth_members a JOIN pg_roles r ON r.oid = a.roleid
             JOIN pg_roles m ON m.oid = a.member WHERE NOT m.rolsuper"""
    for role, member, may_grant in _rows(cursor, sql):
        gains = member in ROLES or (role in ROLES and not may_grant)
        if gains and (role, member) != ("pg_read_all_data", BACKUP):
            yield f"role {member} is a member of {role}"
