"""`scripts/bench [name…]`: run the named measurements, or all, and write each below docs/performance/."""

from __future__ import annotations

import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from . import audit, auth, flags, isolation, pages, start, submit
from .stage import ROOT, Stage, stage

MEASUREMENTS: dict[str, Callable[[Stage], dict[str, Any]]] = {
    "audit": audit.measure,
    "auth": auth.measure,
    "flags": flags.measure,
    "isolation": isolation.measure,
    "pages": pages.measure,
    "submit": submit.measure,
}
# These start and stop Orkestra themselves.
ALONE: dict[str, Callable[[], dict[str, Any]]] = {"start": start.measure}


def main(names: list[str]) -> int:
    """0 when every measurement ran; 2 for a name that is not known."""
    if unknown := [name for name in names if name not in MEASUREMENTS | ALONE]:
        print(f"Not known: {', '.join(unknown)}. There are: {', '.join(MEASUREMENTS | ALONE)}.", file=sys.stderr)
        return 2
    folder = ROOT / "docs" / "performance"
    folder.mkdir(parents=True, exist_ok=True)
    for name in names or list(MEASUREMENTS | ALONE):
        print(f"{name}: starting a fresh Orkestra …", flush=True)
        if name in ALONE:
            found = ALONE[name]()
        else:
            with stage() as made:
                found = MEASUREMENTS[name](made)
        commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
        about = {
            "name": name,
            "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "commit": commit.stdout.strip(),
            "python": platform.python_version(),
            "machine": platform.machine(),
            "pace_ms": pace(),
        }
        (folder / f"{name}.json").write_text(json.dumps(about | found, indent=2) + "\n")
    return 0


def pace() -> int:
    """What a fixed piece of Python takes here, in milliseconds: figures of two machines, or of two hours, compare by it."""
    times = []
    for _ in range(5):
        began = time.perf_counter()
        sum(number & 7 for number in range(3_000_000))
        times.append(time.perf_counter() - began)
    return round(statistics.median(times) * 1000)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
