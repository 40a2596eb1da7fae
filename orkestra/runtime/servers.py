"""`with-servers`: throw-away PostgreSQL and Valkey around one command; for tests, never for data."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from . import valkey
from .home import Home, server_account
from .postgres import Postgres, binaries
from .process import Child, die_with
from .secrets import audit_key, secret, signing_key


def run(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a command with servers of its own, made before and removed after it; returns its exit code."""
    folder = Path(tempfile.mkdtemp(prefix="orkestra-"))
    home = Home(folder, server_account() if os.geteuid() == 0 else None)
    children: list[Child] = []
    parent = os.getpid()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    try:
        home.prepare()
        given = dict(environment) | _start(home, children)
        process = subprocess.Popen(list(command), env=given, preexec_fn=lambda: die_with(parent, signal.SIGTERM))
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda received, _: process.send_signal(received))
        return process.wait()
    finally:
        for child in reversed(children):
            child.stop()
        shutil.rmtree(home.sockets, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


def _end(received: int, _: object) -> None:
    """Told to stop before the command runs: leave through the clean-up."""
    raise SystemExit(128 + received)


def _start(home: Home, children: list[Child]) -> dict[str, str]:
    server = Postgres(home, binaries(home), fast=True)
    server.initialise()
    for child, wait in ((server.child(), server.wait), (valkey.child(home), lambda made: valkey.wait(home, made))):
        children.append(child)
        child.start()
        wait(child)
    server.bootstrap()
    folder = home.root / "secrets"
    return server.urls() | {
        "REDIS_URL": valkey.url(home),
        "ORKESTRA_HOME": str(home.root),
        "ORKESTRA_TEST_ADMIN_URL": server.admin_url("postgres"),
        "ORKESTRA_SECRET_KEY": secret(folder, "django"),
        "ORKESTRA_SIGNING_KEY_FILE": str(signing_key(folder)),
        "ORKESTRA_AUDIT_KEY_FILE": str(audit_key(folder)),
        "DJANGO_SETTINGS_MODULE": "orkestra.settings",
    }
