"""After a few failures in a row nobody asks for a while; then one try tells whether it is over. One for each process."""

from __future__ import annotations

import threading
import time

FAILURES = 3
OPEN_SECONDS = 30.0


class Breaker:
    """Counts failures in a row at one host."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failures = 0
        self._open_until = 0.0

    def lets_through(self) -> bool:
        """Whether a call may be tried; while open nobody may, and when its time is over one caller at a time."""
        with self._lock:
            if self._failures < FAILURES:
                return True
            now = time.monotonic()
            if now < self._open_until:
                return False
            self._open_until = now + OPEN_SECONDS  # the others wait for what this one finds
            return True

    def worked(self) -> None:
        with self._lock:
            self._failures = 0

    def failed(self) -> None:
        with self._lock:
            self._failures += 1
            if self._failures >= FAILURES:
                self._open_until = time.monotonic() + OPEN_SECONDS


_breakers: dict[str, Breaker] = {}
_making = threading.Lock()


def breaker(host: str) -> Breaker:
    """The breaker of a host in this process."""
    with _making:
        return _breakers.setdefault(host, Breaker())


def forget() -> None:
    """Close all, as a fresh process would have them."""
    with _making:
        _breakers.clear()
