"""`up`: start everything in order, keep it running, and stop it in order."""

from __future__ import annotations

import fcntl
import http.client
import os
import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from pathlib import Path

from orkestra.settings.config import Config

from . import first, metrics, valkey
from .home import PROJECT, Account, Home, Stop, can_run_project, find
from .postgres import Postgres, binaries
from .process import Child, Interrupted, run_to_end
from .screen import say, step
from .secrets import audit_key, encryption_key, keep, secret, signing_key

KEYS = {
    "ORKESTRA_SIGNING_KEY": signing_key,
    "ORKESTRA_AUDIT_KEY": audit_key,
    "ORKESTRA_ENCRYPTION_KEY": encryption_key,
}
WEB_WORKERS = 2
WEB_THREADS = 4
READY_SECONDS = 60
TEND_EVERY_SECONDS = 0.1
PORT_PATIENCE_SECONDS = 15.0
# Web and worker get no more power than they need; the gap is what a stolen environment would be worth.
FOR_METRICS = (
    "ORKESTRA_METRICS_",
    "ORKESTRA_HOME",
    "ORKESTRA_PORT",
    "ORKESTRA_LISTEN",
    "ORKESTRA_SUPERVISED",
    "PROMETHEUS_",
    "PATH",
    "LANG",
)
NOT_FOR_SERVING = frozenset({"DATABASE_OWNER_URL", "DATABASE_BACKUP_URL", "ORKESTRA_DEMO_PASSWORD"})


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
        with _lock(self.home) as last_was_killed:
            try:
                self._start(PORT_PATIENCE_SECONDS if last_was_killed else 0.0)
                self._tend()
            except Interrupted:
                pass
            finally:
                self._stop()
        return 0

    def _start(self, patience: float) -> None:
        _refuse_a_taken_port(self.port, patience)
        self._refuse_a_taken_metrics_port(patience)
        servers = self._servers()
        self.account = _web_account(self.home)
        self._own_files()
        environment = self._environment(servers)
        # Only the web is bound to a surface: the worker and the commands of a start work for tenants and the platform.
        commands = environment | {"ORKESTRA_SURFACE": "all"}
        if self.embedded or self._gives("DATABASE_OWNER_URL"):
            self._manage(commands, "Bringing the database up to date", "migrate", "--verbosity", "0")
        word = self._first_start(commands)
        serving = without(environment, NOT_FOR_SERVING)
        self._launch(_web(self.home, _of_surface(serving), self.account, self.port))
        self._launch(_worker(self.home, serving | {"ORKESTRA_SURFACE": "all"}, self.account))
        self._serve_metrics(serving)
        with step("Starting web and worker"):
            self._wait_until_ready()
        first.greet(self.port, word, demo=self._wants_demo(), given=self._gives("ORKESTRA_DEMO_PASSWORD"))

    def _servers(self) -> dict[str, str]:
        """Our own servers, or those that the environment names; returns their addresses."""
        found: dict[str, str] = {}
        if self.embedded:
            with step("Starting PostgreSQL"):
                server = Postgres(self.home, binaries(self.home))
                server.initialise()
                child = self._launch(server.child())
                server.wait(child)
                server.bootstrap()
            found |= server.urls()
        if not self._gives("REDIS_URL"):
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
        if not self._gives("ORKESTRA_AUDIT_ANCHORS"):
            written["ORKESTRA_AUDIT_ANCHORS"] = (self.home.root / "anchors").as_uri()
        for name, make in KEYS.items():
            if not self._gives(name):
                written[f"{name}_FILE"] = self._lend(make(folder))
        keep(self.home.environment_file, "".join(f"{key}={value}\n" for key, value in written.items()))
        return {
            **self.given,
            **written,
            "ORKESTRA_HOME": str(self.home.root),
            "HOME": str(self.home.root) if self.account else self.given.get("HOME", "/"),
            "DJANGO_SETTINGS_MODULE": "orkestra.settings",
            "ORKESTRA_SUPERVISED": "1",
            "PYTHONUNBUFFERED": "1",
            "PROMETHEUS_MULTIPROC_DIR": str(self.home.root / "metrics"),
        }

    def _refuse_a_taken_metrics_port(self, patience: float) -> None:
        """Only one that somebody chose; raises Stop before anything is started."""
        config = Config(self.given)
        port = config.metrics_port
        if port and config.text("ORKESTRA_METRICS_PORT") and not _gets_free(port, patience):
            raise Stop(f"Port {port}, which ORKESTRA_METRICS_PORT names, is taken by another program.")

    def _serve_metrics(self, environment: dict[str, str]) -> None:
        """On their own port. One that is taken costs the metrics, not the run."""
        port = Config(environment).metrics_port
        if not port:
            return
        if not _is_free(port):
            say(f"Port {port} is taken, so there are no metrics; ORKESTRA_METRICS_PORT chooses another.")
            return
        command = [sys.executable, "-m", "orkestra.runtime", "metrics"]
        environment = {key: value for key, value in environment.items() if key.startswith(FOR_METRICS)}
        self._launch(
            Child("metrics", command, self.home.root / "log" / "metrics.log", self.account, environment, PROJECT)
        )

    def _lend(self, path: Path) -> str:
        """Let whoever runs the web read a secret that is a file; its address."""
        if self.account:
            os.chmod(path.parent, 0o711)
            os.chown(path, self.account.uid, self.account.gid)
        return str(path)

    @property
    def embedded(self) -> bool:
        """Whether PostgreSQL is ours, or one that the environment names."""
        return not self._gives("DATABASE_URL")

    def _wants_demo(self) -> bool:
        """In our own database unless refused; in another only when asked for, for it may hold real people."""
        answer = self.given.get("ORKESTRA_DEMO", "").strip().lower()
        return answer not in {"0", "false", "no", "off"} and bool(
            self.embedded or answer or self._gives("ORKESTRA_DEMO_PASSWORD")
        )

    def _gives(self, name: str) -> bool:
        return bool(self.given.get(name) or self.given.get(f"{name}_FILE"))

    def _own_files(self) -> None:
        """Files, uploads in progress, static files and counters belong to whoever runs the web; counters start anew."""
        metrics.emptied(self.home.root / "metrics")
        if self.account:
            for name in ("files", "tmp", "static", "metrics", "anchors"):
                for path in [self.home.root / name, *(self.home.root / name).rglob("*")]:
                    os.chown(path, self.account.uid, self.account.gid)

    def _manage(self, environment: dict[str, str], text: str, *command: str) -> None:
        """Run one manage.py command to its end. Raises Stop with its last line when it fails."""
        program = [sys.executable, str(PROJECT / "manage.py"), *command]
        with step(text):
            code, written = run_to_end(program, environment, self.account, PROJECT, self.stopping)
        with (self.home.root / "log" / "commands.log").open("a") as log:
            log.write(f"$ manage.py {' '.join(command)}\n{written}\n")
        if self.stopping.is_set():
            raise Interrupted
        if code:
            last = (written.strip() or "it gave no reason").splitlines()[-1]
            raise Stop(f"manage.py {command[0]} failed: {last} (all of it: {log.name})")

    def _first_start(self, environment: dict[str, str]) -> str:
        """The demo or the first owner, once; returns the demo's password when it was made now, else nothing."""
        mark = self.home.root / "demo-seeded"
        if not self._wants_demo():
            if self.embedded and sys.stdin.isatty():
                first.ask_for_owner(self.home, environment)
            return ""
        if mark.exists():
            return ""
        word = Config(self.given).text("ORKESTRA_DEMO_PASSWORD") or secrets.token_urlsafe(15)
        self._manage(environment | {"ORKESTRA_DEMO_PASSWORD": word}, "Making two demo organisations", "seed_demo")
        mark.touch(mode=0o600)
        return word

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


@contextmanager
def _lock(home: Home) -> Iterator[bool]:
    """Hold the home for this run; yields whether the last one was killed before it could stop its servers."""
    path = home.root / "run" / "lock"
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Stop(f"Orkestra is already running from {home.root}.") from None
        was_killed = path.stat().st_size > 0
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        try:
            yield was_killed
        finally:
            file.truncate(0)


def _port(environment: dict[str, str]) -> int:
    text = environment.get("ORKESTRA_PORT") or "8000"
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise Stop(f"ORKESTRA_PORT must be a port number, not {text!r}.")
    return int(text)


def _refuse_a_taken_port(port: int, patience: float) -> None:
    """Raises Stop naming another port."""
    if not _gets_free(port, patience):
        other = next((number for number in range(port + 1, port + 50) if _is_free(number)), None)
        hint = f" Try: ORKESTRA_PORT={other} scripts/up" if other else ""
        raise Stop(f"Port {port} is taken by another program.{hint}")


def _gets_free(port: int, patience: float) -> bool:
    """Whether nobody has it; first waits a little where a killed run may still be letting it go."""
    end = time.monotonic() + patience
    while not _is_free(port):
        if time.monotonic() > end:
            return False
        time.sleep(TEND_EVERY_SECONDS)
    return True


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


def _of_surface(serving: dict[str, str]) -> dict[str, str]:
    """The web's environment: one that serves tenants only gets no password of the platform's role."""
    return without(serving, {"DATABASE_PLATFORM_URL"}) if serving.get("ORKESTRA_SURFACE") == "tenant" else serving


def without(environment: dict[str, str], names: Set[str]) -> dict[str, str]:
    """The environment without these variables, and without the files that would give them."""
    return {key: value for key, value in environment.items() if key.removesuffix("_FILE") not in names}


def _web(home: Home, environment: dict[str, str], account: Account | None, port: int) -> Child:
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--port", str(port)]
    command += ["--host", environment.get("ORKESTRA_LISTEN") or "127.0.0.1"]
    command += ["--workers", str(WEB_WORKERS), "--blocking-threads", str(WEB_THREADS), "--respawn-failed-workers"]
    command += ["--no-ws", "--backlog", "256", "--backpressure", "64", "--workers-kill-timeout", "10"]
    command += ["--http1-header-read-timeout", "15000", "--log-level", "warning", "orkestra.wsgi:application"]
    return Child("web", command, home.root / "log" / "web.log", account, environment, PROJECT)


def _worker(home: Home, environment: dict[str, str], account: Account | None) -> Child:
    command = [sys.executable, str(PROJECT / "manage.py"), "work"]
    return Child("worker", command, home.root / "log" / "worker.log", account, environment, PROJECT)
