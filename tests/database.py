"""A database of its own for each test process: made by the superuser, migrated as the owner, used as the app's role.

Tests run on committed data. Each one brings its own tenants, so nothing is rolled back or flushed, and threads, second
processes, the sealer and the platform role see exactly what a user would.
"""

from __future__ import annotations

import contextlib
import os

import psycopg
from django.conf import settings
from django.core.management import call_command
from django.db import connections
from procrastinate.contrib.django import app
from psycopg import sql

from apps.tenants import roles

from . import acts

MIGRATED, UNFINISHED = "orkestra_migrated", "orkestra_unfinished"


def admin_url(name: str) -> str:
    """The superuser's address of one database."""
    base = os.environ["ORKESTRA_TEST_ADMIN_URL"]
    return psycopg.conninfo.make_conninfo(base, dbname=name)


def superuser(name: str | None = None) -> psycopg.Connection[tuple[object, ...]]:
    """A superuser's connection, for what an attacker with the whole database could do."""
    return psycopg.connect(admin_url(name or str(connections["default"].settings_dict["NAME"])), autocommit=True)


def make(name: str) -> None:
    """A migrated database, and every alias of this process pointed at it.

    The first process of a run migrates one, which takes long; what all get are copies of it.
    """
    with superuser("postgres") as connection:
        connection.execute("SELECT pg_advisory_lock(1)")
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [MIGRATED]).fetchone():
            create(UNFINISHED)
            _point_at(UNFINISHED)
            call_command("migrate", verbosity=0, interactive=False)
            _point_at(name)
            connection.execute(f"ALTER DATABASE {UNFINISHED} RENAME TO {MIGRATED}")
    create(name, MIGRATED)
    _point_at(name)


def create(name: str, template: str = "template0") -> None:
    """A database that lets in only our roles, in place of one that has the name; it holds what the template does."""
    drop(name)
    with superuser("postgres") as connection:
        names = map(sql.Identifier, (name, roles.OWNER, template))
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}").format(*names))
    with superuser(name) as connection:
        roles.close_database(connection, name)


def _point_at(name: str) -> None:
    for alias in connections:
        connections[alias].close()
        connections[alias].settings_dict["NAME"] = name
    settings.DATABASE_DIRECT_URL = psycopg.conninfo.make_conninfo(settings.DATABASE_DIRECT_URL, dbname=name)


def drop(name: str) -> None:
    """Remove the database, whoever is still connected, after noting which acts were written into it."""
    with contextlib.suppress(psycopg.OperationalError), superuser(name) as connection:
        acts.note(connection)
    with superuser("postgres") as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def urls(name: str) -> dict[str, str]:
    """The environment with which a second process reaches this database."""
    found = {key: value for key, value in os.environ.items() if key.startswith("DATABASE_") and key.endswith("_URL")}
    return {key: psycopg.conninfo.make_conninfo(value, dbname=name) for key, value in found.items()}


def run_apart(task: str) -> int:
    """Run every waiting job of a task that knows no tenant, as the worker would, and only those; returns how many."""
    return run_for(None, task)


def run_for(tenant: object, task: str) -> int:
    """Run every waiting job of one task and one tenant, as the worker would; returns how many there were."""
    with superuser() as connection:
        waiting = connection.execute(
            "UPDATE procrastinate_jobs SET status = 'succeeded' WHERE status = 'todo' AND task_name = %s"
            " AND args->>'tenant_id' IS NOT DISTINCT FROM %s RETURNING args",
            [task, tenant and str(tenant)],
        ).fetchall()
    for (arguments,) in waiting:
        app.tasks[task](**arguments)  # type: ignore[arg-type]
    return len(waiting)


def work_for(tenant: object) -> None:
    """Take the jobs of every other tenant out of the queue, so that a worker started now works for this one alone."""
    with superuser() as connection:
        connection.execute(
            "UPDATE procrastinate_jobs SET status = 'cancelled'"
            " WHERE status = 'todo' AND args->>'tenant_id' IS DISTINCT FROM %s",
            [str(tenant)],
        )
