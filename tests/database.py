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


def admin_url(name: str) -> str:
    """The superuser's address of one database."""
    base = os.environ["ORKESTRA_TEST_ADMIN_URL"]
    return psycopg.conninfo.make_conninfo(base, dbname=name)


def superuser(name: str | None = None) -> psycopg.Connection[tuple[object, ...]]:
    """A superuser's connection, for what an attacker with the whole database could do."""
    return psycopg.connect(admin_url(name or str(connections["default"].settings_dict["NAME"])), autocommit=True)


def make(name: str) -> None:
    """Create and migrate the database, and point every alias at it."""
    with superuser("postgres") as connection:
        drop(name)
        statement = "CREATE DATABASE {} OWNER {} TEMPLATE template0"
        connection.execute(sql.SQL(statement).format(sql.Identifier(name), sql.Identifier(roles.OWNER)))
    with superuser(name) as connection:
        roles.close_database(connection, name)
    for alias in connections:
        connections[alias].close()
        connections[alias].settings_dict["NAME"] = name
    settings.DATABASE_DIRECT_URL = psycopg.conninfo.make_conninfo(settings.DATABASE_DIRECT_URL, dbname=name)
    call_command("migrate", verbosity=0, interactive=False)


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


def run_apart(task: str) -> None:
    """Run every waiting job of a task that knows no tenant, as the worker would, and only those."""
    with superuser() as connection:
        done = "UPDATE procrastinate_jobs SET status = 'succeeded' WHERE status = 'todo' AND task_name = %s AND NOT args ? 'tenant_id' RETURNING args"
        waiting = connection.execute(done, [task]).fetchall()
    for (arguments,) in waiting:
        app.tasks[task](**arguments)  # type: ignore[arg-type]


def work_for(tenant: object) -> None:
    """Take the jobs of every other tenant out of the queue, so that a worker started now works for this one alone."""
    with superuser() as connection:
        connection.execute(
            "UPDATE procrastinate_jobs SET status = 'cancelled'"
            " WHERE status = 'todo' AND args->>'tenant_id' IS DISTINCT FROM %s",
            [str(tenant)],
        )
