"""Answers that strangers may ask for as often as they like, computed at most every few seconds in each process.

Who asks while one is being computed waits for it and gets the same; nothing is computed twice at once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")
SECONDS = 5.0


class Recent(Generic[T]):
    """One such answer. A failure is not kept, and goes to whoever asked."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make, self._lock = make, threading.Lock()
        self._made: tuple[float, T] | None = None

    def get(self) -> T:
        """The answer, not older than SECONDS."""
        with self._lock:
            if self._made is None or time.monotonic() - self._made[0] > SECONDS:
                self._made = (time.monotonic(), self._make())
            return self._made[1]
