"""Whether this process can serve: what it cannot do without is checked for real, what it can is named as degraded."""

from __future__ import annotations

import os
from functools import lru_cache

from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from redis.exceptions import RedisError

OK, DOWN, BEHIND = "ok", "down", "behind"


def checks() -> tuple[bool, dict[str, str]]:
    """(ready, part -> ok, down or behind). The cache may be away; database, migrations and files may not."""
    parts = {"database": _database(), "files": _files(), "cache": _cache()}
    parts["migrations"] = _migrations() if parts["database"] == OK else DOWN
    return all(parts[name] == OK for name in ("database", "files", "migrations")), parts


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
