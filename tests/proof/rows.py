"""One row of a victim and one of a rival in every table, made from the columns that the catalogue names.

A superuser makes them without triggers and checks, so that a table which is new today is attacked today, with nothing to
be written for it. They are not valid data: they live in a transaction that never commits, or a database that is dropped.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import psycopg
from psycopg import sql

COLUMNS = """
    SELECT a.attname, format_type(a.atttypid, a.atttypmod), t.typcategory::text, a.attnotnull
    FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
    WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped
      AND a.attgenerated = '' AND a.attidentity = ''"""
REFERENCES = """
    SELECT c.conrelid::regclass::text, a.attname, c.confrelid::regclass::text
    FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[cardinality(c.conkey)]
    WHERE c.contype = 'f' AND c.connamespace = 'public'::regnamespace"""
CHECKS = """
    SELECT conrelid::regclass::text, conname FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace AND contype = 'c' AND conrelid <> 0"""


@dataclass
class Side:
    """A tenant of the attack: its id, its person, and the id of its row in each table."""

    tenant: UUID = field(default_factory=uuid4)
    person: UUID = field(default_factory=uuid4)
    rows: dict[str, Any] = field(default_factory=dict)

    def begin(self, tables: list[str]) -> None:
        """Choose the ids, so that rows can name each other."""
        self.rows = {table: uuid4() for table in tables}
        self.rows |= {"tenants_tenant": self.tenant, "accounts_user": self.person}


def fill(admin: psycopg.Connection[Any], tables: list[str], *sides: Side) -> None:
    """One row a side in each table, each naming the side's own rows; the victim's can then be looked for."""
    for table, name in admin.execute(CHECKS).fetchall():
        admin.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')  # type: ignore[call-overload]
    references = {(table, column): target for table, column, target in admin.execute(REFERENCES).fetchall()}
    filled = [*sorted({to for (table, _), to in references.items() if table in tables} - set(tables)), *tables]
    admin.execute("SET session_replication_role = replica")
    for side in sides:
        side.begin(filled)
    for table in filled:
        columns = admin.execute(COLUMNS, [f'public."{table}"']).fetchall()
        for side in sides:
            _insert(admin, table, columns, side, references)
    admin.execute("SET session_replication_role = origin")


def columns_of(admin: psycopg.Connection[Any], table: str) -> list[str]:
    """The columns that an INSERT may name."""
    return [row[0] for row in admin.execute(COLUMNS, [f'public."{table}"']).fetchall()]


def _insert(
    admin: psycopg.Connection[Any], table: str, columns: list[Any], side: Side, references: dict[tuple[str, str], str]
) -> None:
    values: dict[str, Any] = {}
    for name, kind, category, _needed in columns:
        named = {"tenant_id": "tenants_tenant", "user_id": "accounts_user", "id": table}
        target = named.get(name) or references.get((table, name))
        if target in side.rows and (kind == "uuid" or target != table):
            values[name] = str(side.rows[target])
        elif target and name != "id":
            values[name] = _any_id(admin, target)
        else:
            values[name] = _value(kind, category)
    kinds = {name: kind for name, kind, _category, _needed in columns}
    statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, values)),
        sql.SQL(", ").join(sql.SQL("{}::" + kinds[name]).format(sql.Literal(values[name])) for name in values),
    )
    admin.execute(statement)
    if "id" not in values:  # then the first column is the key
        side.rows[table] = values[columns[0][0]]


def _any_id(admin: psycopg.Connection[Any], target: str) -> Any:
    """The id of some row of a table without tenants; none where it has none."""
    row = admin.execute(sql.SQL("SELECT min(id::text) FROM {}").format(sql.Identifier(target))).fetchone()
    return row[0] if row else None


def _value(kind: str, category: str) -> Any:
    """Anything of the type."""
    if kind == "uuid":
        return str(uuid4())
    simple = {"B": "false", "D": "2026-01-01", "T": "1 minute", "A": "{}", "R": "empty", "I": "127.0.0.1"}
    if kind in {"json", "jsonb"}:
        return "{}"
    if kind == "bytea":
        return "\\x" + uuid4().hex
    if category == "N":
        return str(uuid4().int % 30000)
    return simple.get(category, uuid4().hex[: _length(kind)])


def _length(kind: str) -> int:
    return min(32, int(kind.rpartition("(")[2].rstrip(")"))) if kind.startswith("character") and "(" in kind else 32
