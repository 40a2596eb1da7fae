"""Every relation × command × role × binding, from the catalogue, and the controls without which zero would prove nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from psycopg import sql
from psycopg.types.json import Jsonb

from apps.tenants import catalogue, roles
from apps.tenants.backend.base import FORGED
from apps.tenants.context import TenantContext, tenant_context
from apps.tenants.declared import declared_policies
from apps.tenants.models import TenantManager

from .arena import BINDINGS, Arena
from .rows import columns_of

COMMANDS = ("select", "copy", "insert", "update", "delete")
READS = {"select", "copy"}
# Who reads across tenants by declaration: Super Admins, the sealer where it has a grant, and the backup.
ACROSS = {roles.PLATFORM, roles.SEALER, roles.BACKUP}
REFUSALS = {"42501", "0A000", FORGED}
FK_VIOLATED = "23503"


@dataclass
class Result:
    """What the cells of some relations showed. `red` names every cell that is not as declared."""

    cells: int = 0
    across: int = 0
    foreign_rows: int = 0
    relations: int = 0
    states: Counter[str] = field(default_factory=Counter)
    red: list[str] = field(default_factory=list)

    def add(self, other: Result) -> None:
        self.cells += other.cells
        self.across += other.across
        self.foreign_rows += other.foreign_rows
        self.relations += other.relations
        self.states += other.states
        self.red += other.red


def open_to_read() -> set[str]:
    """Tables of the installation that the app reads whole by declaration, and writes before a tenant is known alone."""
    declared = declared_policies(catalogue.tenant_tables())
    return {
        table for (table, name), policy in declared.items() if name == "asked" and policy and policy.reads == "true"
    }


def attack(arena: Arena, table: str) -> Result:
    """All cells of one relation: no binding but the tenant's own may read or write a row of the victim."""
    result = Result(relations=1)
    across = ACROSS | ({roles.OWNER} if table in arena.looked_up else set())
    if table in open_to_read():
        across = across | {roles.APP}
    statements = {command: _statement(arena, table, command) for command in COMMANDS}
    # People belong to no tenant: the owner, which only migrates, sees them all by declaration.
    for role in roles.ALL if _is_keyed(table) else roles.WORKING:
        for binding in BINDINGS:
            for command, statement in statements.items():
                outcome = arena.attempt(role, binding, statement)
                result.cells += 1
                result.states[outcome.state or "no row" if not outcome.rows else "rows"] += 1
                cell = f"{table}: {command} as {role}, {binding} tenant"
                if command in READS and role in across:
                    result.across += 1
                elif outcome.rows:
                    result.foreign_rows += outcome.rows
                    result.red.append(f"{cell}: {outcome.rows} rows")
                elif outcome.state and outcome.state not in REFUSALS:
                    result.red.append(f"{cell}: stopped only by {outcome.state}")
    return result


def controls(arena: Arena, table: str) -> list[str]:
    """What must work, or the zeros above would prove nothing; a sentence for each that does not."""
    return [
        f"{table}: {name}" for name, works in _controls(arena, table) if not works
    ]  # fmt: skip


def _controls(arena: Arena, table: str) -> Iterator[tuple[str, bool]]:
    grants = catalogue.declared_grants()
    select, update = (_statement(arena, table, command) for command in ("select", "update"))
    for role in (roles.APP, roles.SEALER, roles.OWNER):
        if role == roles.OWNER or "SELECT" in grants.get((role, table), ()):
            seen = arena.attempt(role, "own", select).rows
            if not _is_keyed(table):  # some of these open before a tenant is known, and only then
                seen = max(seen, arena.attempt(role, "open", select).rows)
            yield f"{role} sees its own tenant's row", seen == 1
    if "UPDATE" in grants.get((roles.PLATFORM, table), ()):
        yield "Super Admins write where they are bound", arena.attempt(roles.PLATFORM, "own", update).rows == 1
    for role in (roles.PLATFORM, roles.SEALER):
        if "SELECT" in grants.get((role, table), ()):
            yield f"{role} reads across", arena.attempt(role, "none", select).rows == 1
    if table in {"accounts_member", "tenants_tenant"}:
        yield "a person sees their own membership", arena.attempt(roles.APP, "person", select).rows == 1


def keys(arena: Arena, table: str) -> Result:
    """Every foreign key of a table into another tenant's row is refused by the key itself, with no policy in the way."""
    result = Result()
    model = catalogue.tenant_tables().get(table)
    for item in model._meta.concrete_fields if model else ():
        if not getattr(item, "carries_tenant", False) or not item.db_constraint:  # type: ignore[attr-defined]
            continue
        target = str(item.related_model._meta.db_table)  # type: ignore[union-attr]
        statement = sql.SQL(
            "ALTER TABLE {table} DISABLE TRIGGER USER; SET CONSTRAINTS ALL IMMEDIATE;"
            "UPDATE {table} SET {column} = {foreign} WHERE id = {own}"
        ).format(
            table=sql.Identifier(table),
            column=sql.Identifier(str(item.column)),
            foreign=sql.Literal(arena.victim.rows[target]),
            own=sql.Literal(arena.rival.rows[table]),
        )
        outcome = arena.attempt("NONE", "none", statement)
        result.cells += 1
        if outcome.state != FK_VIOLATED or str(item.column) not in outcome.constraint:
            result.red.append(f"{table}.{item.column}: a reference across tenants gave {outcome}")
    return result


def managers(arena: Arena, table: str) -> Result:
    """What a manager asks for holds no row of another tenant even where the policies do not exist: a superuser runs it."""
    result = Result()
    model = catalogue.tenant_tables().get(table)
    for manager in model._meta.managers if model else ():
        if not isinstance(manager, TenantManager):
            continue
        with tenant_context(TenantContext.system(arena.rival.tenant)):
            query, values = manager.all().values_list("tenant_id").query.sql_with_params()
        found = {row[0] for row in arena.admin.execute(query, values).fetchall()}  # type: ignore[call-overload]
        result.cells += 1
        if found != {arena.rival.tenant}:
            result.foreign_rows += len(found - {arena.rival.tenant})
            result.red.append(f"{table}: the manager {manager.name} asks for rows of {len(found)} tenants")
    return result


def everything(arena: Arena, table: str) -> Result:
    """All that is known about one relation: what a mutant of it must turn red."""
    result = attack(arena, table)
    for more in (keys(arena, table), managers(arena, table)):
        result.add(more)
    result.red += controls(arena, table)
    return result


def _is_keyed(table: str) -> bool:
    return table in catalogue.tenant_tables() or table == "tenants_tenant"


def _statement(arena: Arena, table: str, command: str) -> Any:
    """The command, aimed at the victim's row alone."""
    name, mine = sql.Identifier(table), _predicate(arena, table)
    if command == "insert":
        return _insert(arena, table)
    text = {
        "select": "SELECT 1 FROM {} WHERE {}",
        "copy": "COPY (SELECT * FROM {} WHERE {}) TO STDOUT",
        "update": "UPDATE {} SET {column} = {column} WHERE {}",
        "delete": "DELETE FROM {} WHERE {}",
    }[command]
    column = sql.Identifier(columns_of(arena.admin, table)[0])
    return sql.SQL(text).format(name, mine, column=column)


def _predicate(arena: Arena, table: str) -> Any:
    columns = columns_of(arena.admin, table)
    side = arena.victim
    for column, value in (("tenant_id", side.tenant), ("user_id", side.person)):
        if column in columns:
            return sql.SQL("{} = {}").format(sql.Identifier(column), sql.Literal(value))
    key = "id" if "id" in columns else columns[0]
    return sql.SQL("{} = {}").format(sql.Identifier(key), sql.Literal(side.rows[table]))


def _insert(arena: Arena, table: str) -> Any:
    """The victim's row once more, under another id where it has one."""
    columns = [sql.Identifier(name) for name in columns_of(arena.admin, table)]
    row = arena.admin.execute(
        sql.SQL("SELECT to_jsonb(t) || CASE WHEN to_jsonb(t) ? 'tenant_id' THEN jsonb_build_object('id', gen_random_uuid())"
                " ELSE '{{}}' END FROM {} t WHERE {}").format(sql.Identifier(table), _predicate(arena, table))
    ).fetchone()  # fmt: skip
    document = arena.admin.execute("SELECT %s::jsonb::text", [_json(row)]).fetchone()
    return sql.SQL("INSERT INTO {} ({}) SELECT {} FROM jsonb_populate_record(NULL::{}, {}::jsonb)").format(
        sql.Identifier(table),
        sql.SQL(", ").join(columns),
        sql.SQL(", ").join(columns),
        sql.Identifier(table),
        sql.Literal(document[0] if document else "{}"),
    )


def _json(row: Any) -> Any:
    return Jsonb(row[0] if row else {})
