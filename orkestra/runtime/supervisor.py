"""`up`: start everything in order, keep it running, and stop it in order."""

from __future__ import annotations

import fcntl
import http.client
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from . import valkey
from .home import PROJECT, Account, Home, Stop, can_run_project, find
from .postgres import Postgres, binaries
from .process import Child
from .screen import say, step
from .secrets import keep, secret, signing_key

WEB_WORKERS = 2
WEB_THREADS = 4
READY_SECONDS = 60
TEND_EVERY_SECONDS = 0.1


class Supervisor:
    """One run of an installation."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.given = dict(environment)
        self.home: Home = find(self.given)
        self.port = _port(self.given)
        self.children: list[Child] = []
        self.stopping = threading.Event()
        self.account: Account | None = None

    def run(self) -> int:
        """Run until a signal; returns the exit code."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: self.stopping.set())
        self.home.prepare()
        with _lock(self.home):
            try:
                self._start()
                self._tend()
            except Interrupted:
                pass
            finally:
                self._stop()
        return 0

    def _start(self) -> None:
        _refuse_a_taken_port(self.port)
        environment = self._servers()
        self.account = _web_account(self.home)
        self._own_files()
        environment = self._environment(environment)
        self._manage(environment, "Bringing the database up to date", "migrate", "--verbosity", "0")
        first, word = self._seed(environment)
        self._launch(_web(self.home, environment, self.account, self.port))
        self._launch(_worker(self.home, environment, self.account))
        with step("Starting web and worker"):
            self._wait_until_ready()
        _greet(self.port, first, word, environment)

    def _servers(self) -> dict[str, str]:
        """Our own servers, or those that the environment names; returns their addresses."""
        found: dict[str, str] = {}
        if not self.given.get("DATABASE_URL") and not self.given.get("DATABASE_URL_FILE"):
            with step("Starting PostgreSQL"):
                server = Postgres(self.home, binaries(self.home))
                server.initialise()
                child = self._launch(server.child())
                server.wait(child)
                server.bootstrap()
            found |= server.urls()
        if not self.given.get("REDIS_URL") and not self.given.get("REDIS_URL_FILE"):
            with step("Starting Valkey"):
                child = self._launch(valkey.child(self.home))
                valkey.wait(self.home, child)
            found["REDIS_URL"] = valkey.url(self.home)
        return found

    def _environment(self, servers: dict[str, str]) -> dict[str, str]:
        """What web, worker and commands get; written down for commands that are started by hand."""
        folder = self.home.root / "secrets"
        written = servers | {"ORKESTRA_PORT": str(self.port)}
        if not self._gives("ORKESTRA_SECRET_KEY"):
            written["ORKESTRA_SECRET_KEY"] = secret(folder, "django")
        if not self._gives("ORKESTRA_SIGNING_KEY"):
            path = signing_key(folder)
            written["ORKESTRA_SIGNING_KEY_FILE"] = str(path)
            if self.account:
                os.chmod(folder, 0o711)
                os.chown(path, self.account.uid, self.account.gid)
        keep(self.home.environment_file, "".join(f"{key}={value}\n" for key, value in written.items()))
        return {
            **self.given,
            **written,
            "ORKESTRA_HOME": str(self.home.root),
            "DJANGO_SETTINGS_MODULE": "orkestra.settings",
            "PYTHONUNBUFFERED": "1",
        }

    def _gives(self, name: str) -> bool:
        return bool(self.given.get(name) or self.given.get(f"{name}_FILE"))

    def _own_files(self) -> None:
        """Files, uploads in progress and collected static files belong to whoever runs the web."""
        if self.account:
            for name in ("files", "tmp", "static"):
                for path in [self.home.root / name, *(self.home.root / name).rglob("*")]:
                    os.chown(path, self.account.uid, self.account.gid)

    def _manage(self, environment: dict[str, str], text: str, *command: str) -> None:
        """Run one manage.py command to its end. Raises Stop with its last line when it fails."""
        with step(text):
            done = subprocess.run(
                [sys.executable, str(PROJECT / "manage.py"), *command],
                env=environment,
                capture_output=True,
                text=True,
                stdin=subprocess.DEVNULL,
            )
        with (self.home.root / "log" / "commands.log").open("a") as log:
            log.write(f"$ manage.py {' '.join(command)}\n{done.stdout}{done.stderr}\n")
        if self.stopping.is_set():
            raise Interrupted
        if done.returncode:
            last = (done.stderr.strip() or done.stdout.strip() or "it gave no reason").splitlines()[-1]
            raise Stop(f"manage.py {command[0]} failed: {last} (all of it: {log.name})")

    def _seed(self, environment: dict[str, str]) -> tuple[bool, str]:
        """The demo, once; (whether it was made now, the password to tell)."""
        mark = self.home.root / "demo-seeded"
        if mark.exists() or self.given.get("ORKESTRA_DEMO", "1").lower() in {"0", "false", "no"}:
            return False, ""
        word = self.given.get("ORKESTRA_DEMO_PASSWORD") or secrets.token_urlsafe(15)
        self._manage(environment | {"ORKESTRA_DEMO_PASSWORD": word}, "Making two demo organisations", "seed_demo")
        if self.account:
            self._own_files()
        mark.touch(mode=0o600)
        return True, word

    def _launch(self, child: Child) -> Child:
        if self.stopping.is_set():
            raise Interrupted
        self.children.append(child)
        child.start()
        return child

    def _wait_until_ready(self) -> None:
        end = time.monotonic() + READY_SECONDS
        while time.monotonic() < end:
            self._tend_once()
            if _ready(self.port):
                return
            if self.stopping.wait(TEND_EVERY_SECONDS):
                raise Interrupted
        raise Stop(f"The web server was not ready within {READY_SECONDS} s; its log is {self.home.root}/log/web.log.")

    def _tend(self) -> None:
        while not self.stopping.wait(TEND_EVERY_SECONDS):
            self._tend_once()

    def _tend_once(self) -> None:
        for child in self.children:
            if line := child.tend():
                say(line)

    def _stop(self) -> None:
        """Web and worker first, then the servers they need."""
        for child in reversed(self.children):
            child.stop()


class Interrupted(Exception):
    """A signal came while we were starting."""


class _Lock:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        self.file = self.path.open("w")
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Stop(f"Orkestra is already running from {self.path.parents[1]}.") from None

    def __exit__(self, *_: object) -> None:
        self.file.close()


def _lock(home: Home) -> _Lock:
    return _Lock(home.root / "run" / "lock")


def _port(environment: dict[str, str]) -> int:
    text = environment.get("ORKESTRA_PORT") or "8000"
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise Stop(f"ORKESTRA_PORT must be a port number, not {text!r}.")
    return int(text)


def _refuse_a_taken_port(port: int) -> None:
    if _is_free(port):
        return
    other = next((number for number in range(port + 1, port + 50) if _is_free(number)), None)
    hint = f" Try: ORKESTRA_PORT={other} scripts/up" if other else ""
    raise Stop(f"Port {port} is taken by another program.{hint}")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _ready(port: int) -> bool:
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        connection.request("GET", "/healthz/ready")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False


def _web_account(home: Home) -> Account | None:
    """Who runs web and worker: the servers' user where it can, else whoever started us."""
    if home.account is None:
        return None
    if can_run_project(home.account):
        return home.account
    say(
        "Web and worker run as root, because the user "
        f"{home.account.name} cannot reach {sys.executable} or {PROJECT}; PostgreSQL and Valkey run as that user."
    )
    return None


def _web(home: Home, environment: dict[str, str], account: Account | None, port: int) -> Child:
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--workers", str(WEB_WORKERS), "--blocking-threads", str(WEB_THREADS), "--respawn-failed-workers"]
    command += ["--no-ws", "--backlog", "256", "--backpressure", "64", "--workers-kill-timeout", "10"]
    command += ["--http1-header-read-timeout", "15000", "--log-level", "warning", "orkestra.wsgi:application"]
    return Child("web", command, home.root / "log" / "web.log", account, environment, PROJECT)


def _worker(home: Home, environment: dict[str, str], account: Account | None) -> Child:
    command = [sys.executable, str(PROJECT / "manage.py"), "work"]
    return Child("worker", command, home.root / "log" / "worker.log", account, environment, PROJECT)


def _greet(port: int, first: bool, word: str, environment: dict[str, str]) -> None:
    say(f"Orkestra is ready at http://localhost:{port}")
    if first:
        say("Sign in as owner@, editor@, reviewer@ or viewer@acme.example, owner@globex.example,")
        say("or as the Super Admin admin@orkestra.example (then /admin/).")
        say(f"Their password: {word}")
        if not environment.get("ORKESTRA_DEMO_PASSWORD"):
            say("It is shown only now.")
    elif environment.get("ORKESTRA_DEMO", "1") == "0":
        say("There is no demo; make the first owner with: .venv/bin/python manage.py create_owner --help")
    else:
        say("Sign in as before; owner@acme.example and the others have the password shown at the first start.")
    say("Ctrl-C stops everything.")
