"""Take a backup: one snapshot for dump, counts and chain heads; then the files, which are never changed once written."""

from __future__ import annotations

import os
import shutil
import tarfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from .manifest import DUMP, FILES, Manifest, sha256
from .tools import program, run

HEADS = "SELECT DISTINCT ON (tenant_id) tenant_id::text, seq, encode(chain, 'hex') FROM audit_seal ORDER BY tenant_id, seq DESC"
TABLES = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY relname"
KEYS = "tenants_contextkey"  # a backup gives no key away; the next migrate makes one from the installation's secret


def make(folder: Path, *, url: str, attachments: Path) -> Path:
    """Write `orkestra-<time>` below the folder, whole or not at all; returns its path. `url` is the backup role's.

    Raises NoTool, ToolFailed, OSError and psycopg.Error; what was begun is removed.
    """
    now = datetime.now(UTC)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    place = folder / f"orkestra-{now:%Y%m%dT%H%M%S.%fZ}"
    partial = folder / f".partial-{place.name}"
    partial.mkdir(mode=0o700)
    try:
        told = _dump(partial / DUMP, url)
        count = _pack(partial / FILES, attachments)
        parts = {name: sha256(partial / name) for name in (DUMP, FILES)}
        Manifest(made_at=now.isoformat(), files=count, parts=parts, **told).write(partial)
        _settle(partial)
        partial.rename(place)
        _sync(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return place


def _dump(target: Path, url: str) -> dict[str, Any]:
    """The dump, and what the same snapshot says of rows and logs."""
    with psycopg.connect(url) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        (snapshot,) = connection.execute("SELECT pg_export_snapshot()").fetchone() or ("",)
        server = connection.info.server_version // 10000
        tool = program("pg_dump", server)
        told = {"server": server, "migrations": _migrations(connection), "rows": _rows(connection)}
        told["heads"] = {row[0]: [row[1], row[2]] for row in connection.execute(HEADS)}
        command = [tool, "--format=custom", "--no-owner", "--schema=public", f"--exclude-table-data={KEYS}"]
        run([*command, f"--snapshot={snapshot}", f"--file={target}"], url)
    return told


def _migrations(connection: psycopg.Connection[Any]) -> list[list[str]]:
    return [list(row) for row in connection.execute("SELECT app, name FROM django_migrations ORDER BY id")]


def _rows(connection: psycopg.Connection[Any]) -> dict[str, int]:
    names = [name for (name,) in connection.execute(TABLES) if name != KEYS]
    counted = {}
    for name in names:
        row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(name))).fetchone()
        counted[name] = int(row[0]) if row else 0
    return counted


def _pack(target: Path, attachments: Path) -> int:
    """A tar of the files; their names are their hashes. Returns how many."""
    count = 0
    with tarfile.open(target, "w") as tar:
        for path in sorted(attachments.rglob("*")) if attachments.is_dir() else []:
            if path.is_file() and not path.name.startswith("."):
                tar.add(path, arcname=str(path.relative_to(attachments)))
                count += 1
    return count


def _settle(folder: Path) -> None:
    """Every byte on the disk before the name says that it is whole."""
    for path in [*folder.iterdir()]:
        path.chmod(0o600)
        with path.open("rb") as file:
            os.fsync(file.fileno())
    _sync(folder)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
