"""Which tests stay in one process of a run, because they share something that takes long to start."""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling

TOGETHER = {
    "tests/browser/": "Chromium, and the identity provider",
    "tests/runtime/": "the standing Orkestra, and the backup's demo",
    "tests/faults/test_readiness.py": "the standing Orkestra, and the backup's demo",
    "tests/attack/test_headers.py": "the real server",
}


class Together(LoadScopeScheduling):
    """Every test by itself, to whoever is free, but those above.

    By path: the groups of pytest-xdist 3.8 are written into names that pytest has not let it change since 9.2.
    """

    def _split_scope(self, nodeid: str) -> str:
        return next((what for path, what in TOGETHER.items() if nodeid.startswith(path)), nodeid)
