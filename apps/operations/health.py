"""Whether this process can serve: what it cannot do without is checked for real, what it can is named as degraded."""

from __future__ import annotations

import os
import time
from functools import lru_cache

from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from redis.exceptions import RedisError

from apps.tenants.slots import slots

OK, DOWN, BEHIND, DEGRADED = "ok", "down", "behind", "degraded"
NEEDED = ("database", "files", "migrations")
FRESH_SECONDS = 5.0
_asked: dict[str, tuple[float, str]] = {}


def checks() -> tuple[str, dict[str, str]]:
    """(ok, degraded or down; part -> ok, off, down or behind). Only what is in NEEDED makes it down."""
    parts = {"database": _database(), "files": _files()}
    parts["migrations"] = _migrations() if parts["database"] == OK else DOWN
    if any(parts[name] != OK for name in NEEDED):
        return DOWN, parts
    parts |= dependencies()
    return (DEGRADED if DOWN in parts.values() else OK), parts


def dependencies() -> dict[str, str]:
    """The cache, and what the rooms have named; those are asked again after some seconds only, for anyone may ask us."""
    found = {"cache": _cache()}
    for dependency in slots.dependencies:
        at, answer = _asked.get(dependency.key, (0.0, ""))
        if not answer or time.monotonic() - at > FRESH_SECONDS:
            answer = dependency.check()
            _asked[dependency.key] = time.monotonic(), answer
        found[dependency.key] = answer
    return found


def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return DOWN
    return OK


@lru_cache(maxsize=1)
def _leaves() -> frozenset[tuple[str, str]]:
    """The newest migration of each app, from the code."""
    return frozenset(MigrationExecutor(None).loader.graph.leaf_nodes())


def _migrations() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT app, name FROM django_migrations")
            applied = set(cursor.fetchall())
    except DatabaseError:
        return DOWN
    return OK if _leaves() <= applied else BEHIND


def _files() -> str:
    try:
        settings.ATTACHMENTS_ROOT.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return DOWN
    return OK if os.access(settings.ATTACHMENTS_ROOT, os.W_OK | os.X_OK) else DOWN


def _cache() -> str:
    try:
        cache.get("healthz")
    except RedisError:
        return DOWN
    return OK
