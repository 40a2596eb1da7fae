"""Which acts of the catalogue the suite has really written into a log: each database is asked before it is dropped.

`scripts/test` without arguments runs everything, and then an act that no database held fails the run: its code was never
reached by a test, whatever the source says.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from uuid import uuid4

import psycopg

from apps.audit.catalogue import listed

PLACE, WHOLE = "ORKESTRA_TEST_ACTS", "ORKESTRA_TEST_WHOLE"
# Acts that no test can reach, each with its reason.
UNREACHED: dict[str, str] = {}


def begin() -> None:
    """Give this run, and the processes that it starts, a folder to note acts in."""
    os.environ.setdefault(PLACE, tempfile.mkdtemp(prefix="acts-"))


def note(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    """Write down the acts of one database."""
    if PLACE not in os.environ:
        return
    row = connection.execute("SELECT to_regclass('public.audit_entry') IS NOT NULL").fetchone()
    if row is None or not row[0]:
        return
    rows = connection.execute("SELECT DISTINCT action FROM audit_entry WHERE action <> ''").fetchall()
    (Path(os.environ[PLACE]) / uuid4().hex).write_text("\n".join(str(action) for (action,) in rows))


def amiss() -> list[str]:
    """What is wrong with the acts of a whole run, in sentences; nothing after a part of the suite."""
    if WHOLE not in os.environ:
        return []
    seen = {action for path in Path(os.environ[PLACE]).iterdir() for action in path.read_text().split()}
    known = {name for name, _act in listed()}
    found = [f"No test has written {name}." for name in sorted(known - seen - set(UNREACHED))]
    found += [f"{name} is written by a test: take it out of UNREACHED." for name in sorted(seen & set(UNREACHED))]
    return found + [f"{name} is written and stands in no catalogue." for name in sorted(seen - known)]
