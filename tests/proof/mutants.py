"""The wall with one stone taken out: for each policy, FORCE, manager filter and foreign key, the cells must turn red.

A mutant lives inside a savepoint of the arena's transaction, and only the cells of its own relation are run.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import models
from psycopg import sql

from apps.tenants import catalogue
from apps.tenants.models import TenantManager

from . import cells
from .arena import Arena

POLICIES = (
    "SELECT policyname, coalesce(qual, ''), with_check IS NOT NULL FROM pg_policies WHERE tablename = %s ORDER BY 1"
)
FOREIGN_KEYS = """
    SELECT c.conname, a.attname, c.confrelid::regclass::text
    FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[2]
    WHERE c.contype = 'f' AND c.conrelid = %s::regclass AND cardinality(c.conkey) = 2 ORDER BY 1"""
# What each part of the verifying functions stops; the cells of one table with people and one of a tenant show it.
FUNCTIONS = (
    ("orkestra_tenant", "IF is_signed IS NOT TRUE", "IF false", "accounts_team"),
    ("orkestra_tenant", "IF split_part(bound, '.', 4)::bigint <=", "IF false AND 1 <=", "accounts_team"),
    ("orkestra_before_tenant", "THEN RETURN false", "THEN RETURN true", "accounts_user"),
    ("orkestra_before_tenant", "RETURN split_part(bound, '.', 2) = ''", "RETURN true", "accounts_user"),
)


@dataclass(frozen=True)
class Mutant:
    """One stone: what kind it is, whose relation, and the SQL that takes it out (none for a manager)."""

    kind: str
    relation: str
    name: str
    change: Any = None

    def __str__(self) -> str:
        return f"{self.relation}: {self.kind} {self.name}"


def all_mutants(arena: Arena) -> list[Mutant]:
    """Every mutant there is, in the order of the catalogue."""
    made = [mutant for table in arena.attacked for mutant in _of(arena, table)]
    return [*made, *_of_functions(arena)]


def killed_by(arena: Arena, mutant: Mutant) -> str:
    """`cells` or `catalogue`: which of them turned red; empty where the mutant lives."""
    arena.admin.execute("SAVEPOINT mutant")
    try:
        with _without_filter(mutant) if mutant.kind == "manager" else _changed(arena, mutant):
            if cells.everything(arena, mutant.relation).red:
                return "cells"
            with arena.admin.cursor() as cursor:
                return "catalogue" if catalogue.faults_seen_by(cursor) else ""
    finally:
        arena.admin.execute("ROLLBACK TO SAVEPOINT mutant; RELEASE SAVEPOINT mutant")


def _of(arena: Arena, table: str) -> Iterator[Mutant]:
    name = sql.Identifier(table)
    yield Mutant("no", table, "FORCE", sql.SQL("ALTER TABLE {} NO FORCE ROW LEVEL SECURITY").format(name))
    yield Mutant("no", table, "ENABLE", sql.SQL("ALTER TABLE {} DISABLE ROW LEVEL SECURITY").format(name))
    for policy, qual, checks in arena.admin.execute(POLICIES, [table]).fetchall():
        which = sql.Identifier(policy)
        yield Mutant("dropped policy", table, policy, sql.SQL("DROP POLICY {} ON {}").format(which, name))
        if qual != "true":
            parts = [part for part, is_there in (("USING (true)", qual), ("WITH CHECK (true)", checks)) if is_there]
            change = sql.SQL("ALTER POLICY {} ON {} {}").format(which, name, sql.SQL(" ".join(parts)))
            yield Mutant("opened policy", table, policy, change)
    for key, column, target in arena.admin.execute(FOREIGN_KEYS, [f'public."{table}"']).fetchall():
        change = sql.SQL(
            "CREATE UNIQUE INDEX mutant_id ON {target} (id); ALTER TABLE {table} DROP CONSTRAINT {key},"
            " ADD CONSTRAINT {key} FOREIGN KEY ({column}) REFERENCES {target} (id) NOT VALID"
        ).format(
            target=sql.Identifier(target), table=name, key=sql.Identifier(key), column=sql.Identifier(column)
        )  # fmt: skip
        yield Mutant("key without tenant", table, column, change)
    model = catalogue.tenant_tables().get(table)
    for manager in model._meta.managers if model else ():
        if isinstance(manager, TenantManager):
            yield Mutant("manager", table, str(manager.name))


def _of_functions(arena: Arena) -> Iterator[Mutant]:
    for function, old, new, table in FUNCTIONS:
        row = arena.admin.execute("SELECT pg_get_functiondef(%s::regproc)", [function]).fetchone()
        text = str(row[0] if row else "")
        if old not in text:
            raise AssertionError(f"{function} no longer says {old!r}; change its mutant too.")
        yield Mutant("function", table, f"{function}: {old}", sql.SQL(text.replace(old, new)))  # type: ignore[arg-type]


@contextmanager
def _changed(arena: Arena, mutant: Mutant) -> Iterator[None]:
    arena.admin.execute(mutant.change)
    yield


@contextmanager
def _without_filter(mutant: Mutant) -> Iterator[None]:
    model = catalogue.tenant_tables()[mutant.relation]
    manager: Any = next(found for found in model._meta.managers if found.name == mutant.name)
    manager.get_queryset = lambda: models.Manager.get_queryset(manager)
    try:
        yield
    finally:
        del manager.get_queryset
