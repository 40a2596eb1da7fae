"""`start`: how long an installation, a first and a second start take, and what the idle whole occupies in memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from .stage import PASSWORD, ROOT, free_port, wait

IDLE_SECONDS = 20.0
NAMES = ("postgres", "valkey", "granian", "manage.py work", "orkestra.runtime metrics", "orkestra.runtime up")


def measure() -> dict[str, Any]:
    """Seconds, and megabytes (proportional: a page that several processes share counts once)."""
    found: dict[str, Any] = {"install_seconds": round(_install(), 1)}
    print(f"{'installation':<24} {found['install_seconds']:9.1f} s (a fresh .venv from requirements/runtime.txt)")
    with tempfile.TemporaryDirectory(prefix="orkestra-bench-") as folder:
        os.chmod(folder, 0o711)
        for name in ("first", "second"):
            seconds, memory = _run(Path(folder) / "home", look=name == "second")
            found[f"{name}_start_seconds"] = round(seconds, 2)
            print(f"{name + ' start':<24} {seconds:9.2f} s")
            if memory:
                found["idle_memory_mb"] = memory
                print(f"{'idle memory':<24} {memory['all']:9.1f} MB in {memory['processes']} processes")
    return found


def _install() -> float:
    """What `scripts/up` does first on a new machine; the network is a part of it."""
    with tempfile.TemporaryDirectory(prefix="orkestra-venv-") as folder:
        started = time.monotonic()
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
        pip = [sys.executable, "-m", "pip", "--python", f"{folder}/bin/python", "install", "--quiet"]
        options = ["--disable-pip-version-check", "--require-hashes", "--no-deps", "-r", "requirements/runtime.txt"]
        subprocess.run([*pip, *options], cwd=ROOT, check=True)
        return time.monotonic() - started


def _run(home: Path, *, look: bool) -> tuple[float, dict[str, Any]]:
    """One start until it is ready, and with `look` the memory after a while of rest."""
    port = free_port()
    environment = os.environ | {
        "ORKESTRA_HOME": str(home),
        "ORKESTRA_PORT": str(port),
        "ORKESTRA_DEMO_PASSWORD": PASSWORD,
    }
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "orkestra.runtime", "up"], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL
    )
    try:
        wait(port, "/healthz/ready")
        seconds = time.monotonic() - started
        if look:
            time.sleep(IDLE_SECONDS)
        return seconds, _memory(process.pid) if look else {}
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)


def _memory(root: int) -> dict[str, Any]:
    """Megabytes by program, and of all."""
    by: dict[str, float] = {}
    family = _family(root)
    for pid in family:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        name = next((name for name in NAMES if name in command), "other")
        by[name] = by.get(name, 0.0) + _kilobytes(pid) / 1024
    rounded = {name: round(value, 1) for name, value in sorted(by.items())}
    return {"all": round(sum(by.values()), 1), "processes": len(family), "by_program": rounded}


def _family(root: int) -> list[int]:
    """A process and all below it."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def _kilobytes(pid: int) -> int:
    """Proportional set size."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
