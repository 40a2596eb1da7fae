"""How many reports are taken: a bucket for each sender and one for all, in each process's memory."""

from __future__ import annotations

import threading
import time

A_SENDER_PER_MINUTE = 60
ALL_PER_MINUTE = 600
MOST_SENDERS = 2000


class Buckets:
    """Counts within the minute; with another minute all begins anew."""

    def __init__(self, each: int = A_SENDER_PER_MINUTE, everybody: int = ALL_PER_MINUTE) -> None:
        self.each, self.everybody = each, everybody
        self._lock = threading.Lock()
        self._minute, self._all, self._by = -1, 0, dict[str, int]()

    def admits(self, sender: str, now: float | None = None) -> bool:
        """Whether one more request of this sender is read."""
        minute = int((time.monotonic() if now is None else now) // 60)
        with self._lock:
            if minute != self._minute or len(self._by) > MOST_SENDERS:
                self._minute, self._all, self._by = minute, 0 if minute != self._minute else self._all, {}
            if self._all >= self.everybody or self._by.get(sender, 0) >= self.each:
                return False
            self._all += 1
            self._by[sender] = self._by.get(sender, 0) + 1
            return True


buckets = Buckets()
