"""Where everything of an installation lies, and which user the servers run as."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from orkestra.settings.config import default_home

SERVER_USER = "orkestra"
LONGEST_SOCKET_PATH_BYTES = 100
SOCKET_NAME = ".s.PGSQL.5432"
PROJECT = Path(__file__).resolve().parents[2]


class Stop(Exception):
    """The run cannot go on; the message is one sentence for the person at the terminal."""


@dataclass(frozen=True)
class Account:
    """An unprivileged system user."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True)
class Home:
    """The folder of an installation. `account` owns the servers' folders; None means the user who started us."""

    root: Path
    account: Account | None

    @property
    def sockets(self) -> Path:
        """Unix sockets; elsewhere when the path would be too long for the kernel."""
        usual = self.root / "run" / "sockets"
        if len(str(usual / SOCKET_NAME).encode()) <= LONGEST_SOCKET_PATH_BYTES:
            return usual
        owner = os.stat(self.root).st_ino
        return Path(tempfile.gettempdir()) / f"orkestra-{os.geteuid()}-{owner}"

    @property
    def environment_file(self) -> Path:
        return self.root / "run" / "environment"

    def folder(self, name: str, *, servers: bool = False) -> Path:
        """A private folder below the home, of the servers' user where `servers` says so."""
        path = self.root / name
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.own(path, servers=servers)
        return path

    def own(self, path: Path, *, servers: bool) -> None:
        """Give a path to the servers' user, or keep it; nothing in it is readable by others."""
        if self.account and servers:
            os.chown(path, self.account.uid, self.account.gid)

    def prepare(self) -> None:
        """Make the folders. As root the home itself lets the servers' user pass, and nothing more."""
        self.root.mkdir(mode=0o711 if self.account else 0o700, parents=True, exist_ok=True)
        os.chmod(self.root, 0o711 if self.account else 0o700)
        if self.account and not can_run(self.account, [shutil.which("test") or "/usr/bin/test", "-x", str(self.root)]):
            raise Stop(
                f"The user {self.account.name}, as which PostgreSQL runs, cannot enter {self.root}: "
                "choose an ORKESTRA_HOME that is not below a closed folder, such as /var/lib/orkestra."
            )
        for name in ("secrets", "log", "files", "tmp", "static", "anchors"):
            self.folder(name)
        run = self.folder("run")
        if self.account:
            os.chmod(run, 0o711)
        _private(self.sockets, self.account)


def _private(path: Path, account: Account | None) -> None:
    """A folder for sockets that only its owner enters. Raises Stop when somebody else made it first."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = path.lstat()
    if path.is_symlink() or found.st_uid not in {os.geteuid(), account.uid if account else os.geteuid()}:
        raise Stop(f"{path} belongs to somebody else; set ORKESTRA_HOME to a shorter path.")
    os.chmod(path, 0o700)
    if account:
        os.chown(path, account.uid, account.gid)


def find(environment: dict[str, str]) -> Home:
    """The home that the environment names, or the usual one."""
    root = Path(environment.get("ORKESTRA_HOME") or default_home()).expanduser().absolute()
    return Home(root, server_account() if os.geteuid() == 0 else None)


def server_account() -> Account:
    """The system user of the servers, made once. Raises Stop when it cannot be made: PostgreSQL refuses to run as root."""
    try:
        entry = pwd.getpwnam(SERVER_USER)
    except KeyError:
        entry = _make_account()
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _make_account() -> pwd.struct_passwd:
    program = shutil.which("useradd") or "/usr/sbin/useradd"
    command = [program, "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SERVER_USER]
    try:
        subprocess.run(command, check=True, capture_output=True)
        return pwd.getpwnam(SERVER_USER)
    except (OSError, subprocess.CalledProcessError, KeyError):
        raise Stop(
            "PostgreSQL does not run as root, and the system user orkestra could not be made: "
            "run this as an ordinary user, or make that user first."
        ) from None


def can_run(account: Account, command: list[str]) -> bool:
    """Whether the account can execute this, tried for real."""
    try:
        done = subprocess.run(
            command, user=account.uid, group=account.gid, extra_groups=[], cwd="/", capture_output=True, timeout=20
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0


def can_run_project(account: Account) -> bool:
    """Whether web and worker could run as this account: interpreter, packages and code within its reach."""
    probe = f"import sys; sys.path.insert(0, {str(PROJECT)!r}); import django, orkestra.settings.config"
    return can_run(account, [sys.executable, "-c", probe])
