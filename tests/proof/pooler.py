"""A PgBouncer in transaction mode before the test server, run as the servers' user; Debian's package."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from django.db import connections
from psycopg.conninfo import conninfo_to_dict

from apps.tenants import roles
from orkestra.runtime.home import server_account
from orkestra.runtime.process import die_with

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
PORT = "6432"
READY_SECONDS = 20


@dataclass(frozen=True)
class Pooler:
    """Where it listens; a client goes there as it would to PostgreSQL."""

    folder: Path
    password: str

    def pools(self, database: str) -> dict[str, Any]:
        """What it says of the app's pool: how many clients and servers there are."""
        with self.console() as console, console.cursor() as cursor:
            cursor.execute("SHOW POOLS")
            names = [column.name for column in cursor.description or ()]
            rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        return next(row for row in rows if (row["database"], row["user"]) == (database, roles.APP))

    def console(self) -> psycopg.Connection[Any]:
        where = {"host": str(self.folder), "port": PORT, "user": roles.APP, "password": self.password}
        return psycopg.connect(dbname="pgbouncer", autocommit=True, cursor_factory=psycopg.ClientCursor, **where)


@contextmanager
def pooler(servers: int) -> Iterator[Pooler]:
    """Start it with so many server connections for each role, and stop it."""
    if PROGRAM is None:
        raise RuntimeError("pgbouncer is not installed: apt-get install pgbouncer.")
    account = server_account() if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="orkestra-pool-"))
    made = Pooler(folder, _write(folder, servers))
    if account:
        for path in (folder, *folder.iterdir()):
            os.chown(path, account.uid, account.gid)
    parent = os.getpid()
    user: dict[str, Any] = {"user": account.uid, "group": account.gid, "extra_groups": []} if account else {}
    with (folder / "log").open("wb") as log:
        command = [PROGRAM, str(folder / "pgbouncer.ini")]
        process = subprocess.Popen(
            command, stdout=log, stderr=log, cwd="/", preexec_fn=lambda: die_with(parent, 15), **user
        )
    try:
        _wait(made, process)
        yield made
    finally:
        process.terminate()
        process.wait(timeout=20)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def through(made: Pooler) -> Iterator[None]:
    """Let every new connection of the app's role, in whichever thread, go through the pooler."""
    entry = connections["default"].settings_dict
    usual = {key: entry[key] for key in ("HOST", "PORT")}
    connections["default"].close()
    entry.update(HOST=str(made.folder), PORT=PORT)
    try:
        yield
    finally:
        connections["default"].close()
        entry.update(usual)


def _write(folder: Path, servers: int) -> str:
    app = conninfo_to_dict(os.environ["DATABASE_URL"])
    (folder / "users").write_text(f'"{roles.APP}" "{app["password"]}"\n')
    settings = {
        "unix_socket_dir": folder,
        "listen_port": PORT,
        "listen_addr": "",
        "auth_type": "scram-sha-256",
        "auth_file": folder / "users",
        "stats_users": roles.APP,
        "pool_mode": "transaction",
        "default_pool_size": servers,
        "max_client_conn": 100,
        "server_tls_sslmode": "disable",
    }
    lines = ["[databases]", f"* = host={app['host']} port={app.get('port') or 5432}", "[pgbouncer]"]
    lines += [f"{key} = {value}" for key, value in settings.items()]
    (folder / "pgbouncer.ini").write_text("\n".join(lines) + "\n")
    return str(app["password"])


def _wait(made: Pooler, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"pgbouncer ended: {(made.folder / 'log').read_text()}")
        try:
            made.console().close()
            return
        except psycopg.OperationalError:
            time.sleep(0.02)
    raise RuntimeError(f"pgbouncer was not ready within {READY_SECONDS} s: {(made.folder / 'log').read_text()}")
