"""Child processes that never outlive us: own session, killed with their parent, always reaped, restarted with backoff."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .home import Account

PR_SET_PDEATHSIG = 1
FIRST_BACKOFF_SECONDS = 0.5
LONGEST_BACKOFF_SECONDS = 30.0
HEALTHY_AFTER_SECONDS = 60.0
POLL_SECONDS = 0.05
LARGEST_LOG_BYTES = 20 * 1024 * 1024
_libc = ctypes.CDLL(None, use_errno=True)


class Interrupted(Exception):
    """A signal came while we were starting."""


@dataclass
class Child:
    """One supervised program. `stop_signal` asks it to end in its own good order."""

    name: str
    command: list[str]
    log: Path
    account: Account | None = None
    environment: dict[str, str] | None = None
    folder: Path | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 15.0
    before: Callable[[], None] | None = None
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    failures: int = field(default=0, init=False)
    started_at: float = field(default=0.0, init=False)
    next_start: float = field(default=0.0, init=False)

    def start(self) -> None:
        """Start it now."""
        if self.before:
            self.before()
        _trim(self.log)
        parent, death = os.getpid(), self.stop_signal
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder or "/",
                env=self.environment,
                start_new_session=True,
                preexec_fn=lambda: die_with(parent, death),
                **_as(self.account),
            )
        self.started_at = time.monotonic()

    def tend(self) -> str | None:
        """Reap and restart; returns a line for the log when it ended, None while all is well."""
        now = time.monotonic()
        if self.process is None:
            if now >= self.next_start:
                self.start()
            return None
        code = self.process.poll()
        if code is None:
            return None
        self._sweep()
        self.failures = 1 if now - self.started_at > HEALTHY_AFTER_SECONDS else self.failures + 1
        wait = min(FIRST_BACKOFF_SECONDS * 2 ** (self.failures - 1), LONGEST_BACKOFF_SECONDS)
        self.process, self.next_start = None, now + wait
        return f"{self.name} ended with {code}; starting it again in {wait:g} s (its log: {self.log})"

    def stop(self) -> None:
        """Ask it to end, wait, and kill what is left of its session."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(self.stop_signal)
            try:
                self.process.wait(self.stop_seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._sweep()
        self.process = None

    def _sweep(self) -> None:
        """Nothing of its session may stay behind, such as workers of a web server that was killed."""
        if self.process is not None:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass


def run_to_end(
    command: list[str], environment: dict[str, str], account: Account | None, folder: Path, stopping: threading.Event
) -> tuple[int, str]:
    """Run one program until it ends or we are told to stop; (exit code, everything it wrote)."""
    parent = os.getpid()
    with tempfile.TemporaryFile() as written:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=environment,
            start_new_session=True,
            preexec_fn=lambda: die_with(parent, signal.SIGKILL),
            **_as(account),
        )
        while process.poll() is None:
            if stopping.wait(POLL_SECONDS):
                # A migration or the demo is one transaction each: nothing half done stays.
                process.kill()
                process.wait()
        written.seek(0)
        return process.returncode, written.read().decode(errors="replace")


def _as(account: Account | None) -> dict[str, Any]:
    return {"user": account.uid, "group": account.gid, "extra_groups": []} if account else {}


def die_with(parent: int, death: signal.Signals) -> None:
    """In the child: get this signal when the supervisor dies, even by kill -9."""
    _libc.prctl(PR_SET_PDEATHSIG, death)
    if os.getppid() != parent:
        os._exit(1)


def _trim(log: Path) -> None:
    """Keep one older log file when the current one has grown large."""
    if log.exists() and log.stat().st_size > LARGEST_LOG_BYTES:
        log.replace(log.with_suffix(".log.1"))
    log.touch(mode=0o600)
