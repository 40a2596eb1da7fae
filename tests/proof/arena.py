"""Where the wall is attacked: a superuser's transaction that acts as each role in turn, or each role's own session."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import psycopg
from django.conf import settings
from django.db import connections
from psycopg.conninfo import make_conninfo

from apps.tenants import roles, signing
from apps.tenants.globals import GLOBAL_TABLES
from tests import database

from .rows import Side, fill

RELATIONS = """SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace
               AND relkind IN ('r', 'p', 'v', 'm', 'f') ORDER BY relname"""
LOOKED_UP = """SELECT tablename FROM pg_policies
               WHERE schemaname = 'public' AND cmd = 'SELECT' AND roles = ARRAY[%s]::name[] AND qual = 'true'"""
BINDINGS = ("none", "wrong", "expired", "forged", "other")
FORGED_SECRET = "what an attacker might guess, long enough to be a secret"


@dataclass(frozen=True)
class Outcome:
    """What a statement did: how many rows it returned or changed, or the SQLSTATE of its error."""

    rows: int = 0
    state: str = ""
    constraint: str = ""


@dataclass
class Arena:
    """A victim and a rival with a row in every table, and the right to act as any role. Nothing is committed.

    `relations` are all of the catalogue; `attacked` those that hold rows of a tenant: all but the tables declared global
    without a policy; `looked_up` those in which functions of the owner find rows before a tenant is known.
    """

    admin: psycopg.Connection[Any]
    victim: Side = field(default_factory=Side)
    rival: Side = field(default_factory=Side)
    relations: list[str] = field(default_factory=list)
    attacked: list[str] = field(default_factory=list)
    looked_up: set[str] = field(default_factory=set)
    kid: str = ""

    def prepare(self) -> None:
        """Make the rows; find the key."""
        self.relations = [row[0] for row in self.admin.execute(RELATIONS).fetchall()]
        without = {name for name, table in GLOBAL_TABLES.items() if not table.policies}
        self.attacked = [name for name in self.relations if name not in without]
        self.looked_up = {row[0] for row in self.admin.execute(LOOKED_UP, [roles.OWNER]).fetchall()}
        own = signing.fingerprint(settings.SECRET_KEY)
        row = self.admin.execute("SELECT orkestra_context_kid(%s)", [own]).fetchone()
        self.kid = row[0] if row else ""
        fill(self.admin, self.attacked, self.victim, self.rival)

    def value(self, side: Side | None, *, person: bool = False, secret: str = "", life: int = 0) -> str:
        """What the app would bind for a side; `secret` and `life` (seconds) are what a forger would choose."""
        expires = int(time.time()) + life if life else signing.expiry(time.time())
        key = signing.key_of(secret or settings.SECRET_KEY, self.kid)
        tenant = side.tenant if side and not person else None
        return signing.sign(key, self.kid, tenant, side.person if side and person else None, expires)

    def bind(self, role: str, binding: str) -> str:
        """The statement that makes a binding; the owner's is never signed, so only two of the five differ for it."""
        if role == roles.OWNER:
            tenant = self.victim.tenant if binding == "own" else self.rival.tenant
            return "" if binding == "none" else f"SET LOCAL orkestra.tenant = '{tenant}'; "
        value = {
            "none": lambda: "",
            "wrong": lambda: str(self.victim.tenant),
            "expired": lambda: self.value(self.victim, life=-1),
            "forged": lambda: self.value(self.victim, secret=FORGED_SECRET),
            "other": lambda: self.value(self.rival),
            "open": lambda: self.value(None),
            "own": lambda: self.value(self.victim),
            "person": lambda: self.value(self.victim, person=True),
        }[binding]()
        # An attacker may set everything that any code of ours ever reads.
        bare = (
            f"SET LOCAL orkestra.tenant = '{self.victim.tenant}'; SET LOCAL orkestra.person = '{self.victim.person}'; "
        )
        return bare + (f"SET LOCAL orkestra.bound = '{value}'; " if value else "")

    def attempt(self, role: str, binding: str, statement: Any) -> Outcome:
        """Run one statement as a role under a binding, and undo it."""
        self.admin.execute("SAVEPOINT cell")
        try:
            return _run(self.admin, f"SET LOCAL ROLE {role}; {self.bind(role, binding)}", statement)
        finally:
            self.admin.execute("ROLLBACK TO SAVEPOINT cell; RELEASE SAVEPOINT cell")


@dataclass
class Sessions(Arena):
    """The same with a real session of each role; the rows are committed, so only in a database that is dropped."""

    open: dict[str, psycopg.Connection[Any]] = field(default_factory=dict)

    def attempt(self, role: str, binding: str, statement: Any) -> Outcome:
        connection = self.open[role]
        try:
            return _run(connection, self.bind(role, binding), statement)
        finally:
            connection.rollback()


def _run(connection: psycopg.Connection[Any], before: str, statement: Any) -> Outcome:
    try:
        if before:
            connection.execute(before)  # type: ignore[call-overload]
        with connection.cursor() as cursor:
            if "COPY (" in str(statement):
                with cursor.copy(statement) as copy:
                    return Outcome(sum(1 for _ in copy.rows()))
            cursor.execute(statement)
            return Outcome(max(cursor.rowcount, 0))
    except psycopg.Error as error:
        return Outcome(state=error.sqlstate or "?", constraint=error.diag.constraint_name or "")


@contextmanager
def arena() -> Iterator[Arena]:
    """An arena in the database of this process; it leaves nothing behind."""
    name = str(connections["default"].settings_dict["NAME"])
    with psycopg.connect(database.admin_url(name)) as admin:
        made = Arena(admin)
        made.prepare()
        yield made
        admin.rollback()


@contextmanager
def sessions(name: str) -> Iterator[Sessions]:
    """An arena of real sessions in a database that nobody needs afterwards."""
    urls = database.urls(name)
    with psycopg.connect(database.admin_url(name)) as admin:
        made = Sessions(admin)
        made.prepare()
        admin.commit()
        try:
            for variable, role in roles.VARIABLES.items():
                if variable in urls and variable != "DATABASE_DIRECT_URL":
                    made.open[role] = psycopg.connect(make_conninfo(urls[variable], application_name=str(uuid4())))
            yield made
        finally:
            for connection in made.open.values():
                connection.close()
