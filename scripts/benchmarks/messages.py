"""How many messages twenty statements send to PostgreSQL, `walled` or `unwalled`, by libpq's own trace."""

from __future__ import annotations

import importlib
import sys
import tempfile
from uuid import UUID


def count(kind: str) -> int:
    """Messages from us to the server for twenty statements in autocommit."""
    importlib.import_module(f"scripts.benchmarks.{kind}")
    from django.db import connection

    from apps.tenants.context import as_system

    with as_system(UUID(int=1)), connection.cursor() as cursor, tempfile.TemporaryFile() as trace:
        cursor.execute("SELECT 1")
        pg = connection.connection.pgconn
        pg.trace(trace.fileno())
        for _ in range(20):
            cursor.execute("SELECT count(*) FROM accounts_team")
        pg.untrace()
        trace.seek(0)
        return sum(1 for line in trace.read().decode().splitlines() if "\tF\t" in line)


if __name__ == "__main__":
    print(count(sys.argv[1]))
