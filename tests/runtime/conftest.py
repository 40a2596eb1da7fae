"""A real installation in a home of its own: the supervisor, its servers, web and worker."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import pytest

from tests import database

PROJECT = Path(__file__).resolve().parents[2]
PASSWORD = "a long word for the demo"  # the demo's people, on this machine only
PATIENCE_SECONDS = 90


def until(condition: Callable[[], Any], what: str) -> Any:
    """Wait for something to become true; fails naming it."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError(f"It never happened: {what}.")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_gone(process: psutil.Process) -> bool:
    """Ended; one that only waits to be reaped by the system counts."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def bare_environment() -> dict[str, str]:
    """The process environment without what scripts/test set for its own servers."""
    prefixes = ("DATABASE_", "REDIS_", "ORKESTRA_", "DJANGO_")
    return {key: value for key, value in os.environ.items() if not key.startswith(prefixes)}


class Installation:
    """One home and its supervisor, started and stopped by tests."""

    def __init__(self, home: Path, **environment: str) -> None:
        self.home = home
        self.port = free_port()
        self.given = {"ORKESTRA_HOME": str(home), "ORKESTRA_PORT": str(self.port), **environment}
        self.process: subprocess.Popen[str] | None = None
        self.out = home.parent / f"{home.name}.out"

    def command(self, **environment: str) -> dict[str, Any]:
        return {
            "args": [sys.executable, "-m", "orkestra.runtime", "up"],
            "cwd": PROJECT,
            "env": bare_environment() | self.given | environment,
            "stdin": subprocess.DEVNULL,
            "text": True,
        }

    def start(self) -> None:
        with self.out.open("w") as out:
            self.process = subprocess.Popen(**self.command(), stdout=out, stderr=subprocess.STDOUT)
        self.wait_until_it_says_so()

    def wait_until_it_says_so(self) -> None:
        def said() -> bool:
            assert self.process is not None
            assert self.process.poll() is None, self.said
            return "Orkestra is ready" in self.said

        until(said, "Orkestra is ready")

    @property
    def said(self) -> str:
        return self.out.read_text()

    def refused(self, **environment: str) -> str:
        """What `up` says when it does not start."""
        done = subprocess.run(**self.command(**environment), capture_output=True, timeout=PATIENCE_SECONDS)
        assert done.returncode == 1, done
        return (done.stdout + done.stderr).strip()

    def processes(self) -> list[psutil.Process]:
        """Everything the supervisor started, and what those started."""
        assert self.process is not None
        return psutil.Process(self.process.pid).children(recursive=True)

    def child(self, word: str) -> psutil.Process | None:
        """The supervisor's own child whose command contains this word, while it lives."""
        assert self.process is not None
        for process in psutil.Process(self.process.pid).children():
            try:
                if not is_gone(process) and word in " ".join(process.cmdline()):
                    return process
            except psutil.NoSuchProcess:
                continue
        return None

    def kill(self, word: str) -> None:
        """kill -9 one child and wait until another one stands in its place."""
        before = until(lambda: self.child(word), f"{word} runs")
        before.kill()
        until(lambda: (now := self.child(word)) and now.pid != before.pid, f"{word} is started again")

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://localhost:{self.port}/healthz/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def signs_in(self, name: str = "owner", tenant: str = "acme") -> bool:
        """Whether one of the demo gets a token: web, database and the data of the first start are there."""
        body = {"email": f"{name}@{tenant}.example", "password": PASSWORD, "tenant": tenant}
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/v1/auth/token",
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return "access" in json.load(answer)
        except urllib.error.HTTPError:
            return False

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_SECONDS)

    def ensure_stopped(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.stop(signal.SIGTERM)


@pytest.fixture(scope="session")
def place() -> Iterator[Path]:
    """A folder that the servers' user may pass through, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="orkestra-run-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def installation(place: Path) -> Iterator[Installation]:
    made = Installation(place / "home", ORKESTRA_DEMO_PASSWORD=PASSWORD)
    yield made
    made.ensure_stopped()


@pytest.fixture
def running(installation: Installation) -> Installation:
    """The installation with its demo, running and ready."""
    if installation.process is None or installation.process.poll() is not None:
        installation.start()
    until(installation.is_ready, "it is ready")
    return installation


@pytest.fixture
def named(django_db_setup: None) -> Iterator[dict[str, str]]:
    """The environment of somebody with servers of their own: those of scripts/test, and a migrated database on them."""
    name = f"named_{uuid4().hex[:8]}"
    database.create(name, database.MIGRATED)
    kept = ("REDIS_", "ORKESTRA_SECRET_KEY", "ORKESTRA_SIGNING_KEY")
    yield {key: value for key, value in os.environ.items() if key.startswith(kept)} | database.urls(name)
    database.drop(name)


@pytest.fixture
def another(place: Path, request: pytest.FixtureRequest) -> Iterator[Installation]:
    """A second installation without a demo, not started yet."""
    made = Installation(place / f"h{abs(hash(request.node.name)) % 10**6}", ORKESTRA_DEMO="0")
    yield made
    made.ensure_stopped()
