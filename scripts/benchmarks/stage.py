"""The real run for a measurement: the supervisor with a fresh home, its demo, and the yardstick beside it."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "measured run, not a secret"
START_SECONDS = 240
WORKERS = 2


@dataclass(frozen=True)
class Stage:
    """Where the measured servers answer."""

    port: int
    yardstick_port: int
    home: Path

    def ask(self, method: str, path: str, body: Any = None, token: str = "") -> Any:
        """One call to our API; raises RuntimeError for an answer of 400 or more."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        connection.request(method, f"/api/v1{path}", json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status >= 400:
            raise RuntimeError(f"{method} {path} answered {answer.status}: {text[:500]!r}")
        return json.loads(text) if text else None

    def token(self, email: str, tenant: str) -> str:
        """A fresh access token of a demo person."""
        body = {"email": email, "password": PASSWORD, "tenant": tenant}
        return str(self.ask("POST", "/auth/token", body)["access"])


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def stage() -> Iterator[Stage]:
    """Start everything, wait until it is ready, and stop it all at the end."""
    with tempfile.TemporaryDirectory(prefix="orkestra-bench-") as folder:
        os.chmod(folder, 0o711)
        home = Path(folder) / "home"
        made = Stage(free_port(), free_port(), home)
        environment = os.environ | {
            "ORKESTRA_HOME": str(home),
            "ORKESTRA_PORT": str(made.port),
            "ORKESTRA_DEMO_PASSWORD": PASSWORD,
        }
        with running([sys.executable, "-m", "orkestra.runtime", "up"], environment):
            wait(made.port, "/healthz/ready")
            with _yardstick(made):
                yield made


@contextmanager
def running(command: list[str], environment: dict[str, str], *, says: bool = True) -> Iterator[None]:
    """A process around the block, ended by SIGINT; one line for each request is more than anybody reads."""
    heard = None if says else subprocess.DEVNULL
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=heard)
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)


@contextmanager
def _yardstick(made: Stage) -> Iterator[None]:
    text = (made.home / "run" / "environment").read_text()
    urls = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    with psycopg.connect(urls["DATABASE_OWNER_URL"], autocommit=True) as owner:
        owner.execute("CREATE SCHEMA yardstick")
        owner.execute(
            "CREATE TABLE yardstick.row (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
            " data jsonb NOT NULL, created_at timestamptz NOT NULL)"
        )
        owner.execute("GRANT USAGE ON SCHEMA yardstick TO orkestra_app")
        owner.execute("GRANT SELECT, INSERT ON yardstick.row TO orkestra_app")
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--no-ws"]
    command += [
        "--port",
        str(made.yardstick_port),
        "--workers",
        str(WORKERS),
        "scripts.benchmarks.yardstick:application",
    ]
    with running(command, os.environ | {"YARDSTICK_URL": urls["DATABASE_URL"]}):
        wait(made.yardstick_port, "/rows", any_status=True)
        yield


def wait(port: int, path: str, *, any_status: bool = False) -> None:
    """Until it answers; a bounded wait for a server that is starting."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", path)
            if connection.getresponse().status == 200 or any_status:
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise RuntimeError(f"Nothing answered on port {port} within {START_SECONDS} s.")
