"""Keep security events, whatever becomes of the transaction in which they were raised, and without holding it up.

Who raises one only puts it into a short queue. A thread with a database connection of its own writes what waits, once a
second at most and equal ones as one row; when the queue is full, the event is counted as dropped and nobody waits.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import queue
import threading
from collections.abc import Mapping
from typing import Any

import structlog
from django.db import Error, connections

from apps.tenants import clock
from apps.tenants.context import current
from apps.tenants.measures import SECURITY_EVENTS_DROPPED
from apps.tenants.slots import SecurityEvent

from .models import Alarm

log = structlog.get_logger(__name__)
MOST_WAITING = 1000
MOST_A_WRITE = 200
WRITE_EVERY_SECONDS = 1.0
LONGEST_BACKOFF_SECONDS = 30.0
END_SECONDS = 3.0
LONGEST_FACT = 200


class Keeper:
    """One queue and one thread a process; the thread starts with the first event."""

    def __init__(self, most_waiting: int = MOST_WAITING) -> None:
        self._waiting: queue.Queue[Alarm | None] = queue.Queue(most_waiting)
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._pid = 0

    def hear(self, event: SecurityEvent) -> None:
        """Take one event. Returns at once, and never raises for want of room or database."""
        acting = current()
        row = Alarm(
            at=clock.now(),
            kind=event.kind,
            facts=plain(event.facts),
            about_tenant=acting.tenant,
            about_user=acting.user,
            request_id=acting.request_id,
        )
        try:
            self._waiting.put_nowait(row)
        except queue.Full:
            SECURITY_EVENTS_DROPPED.inc()
            return
        self._ensure_thread()

    def _ensure_thread(self) -> None:
        with self._lock:
            if self._pid != os.getpid():  # a fork takes no threads along
                self._pid, self._thread = os.getpid(), threading.Thread(target=self._write_all, daemon=True)
                self._thread.start()
                atexit.register(self.end)

    def end(self) -> None:
        """Write what waits, for a moment at most; commands that end at once must not lose what they found."""
        self._ending.set()
        with contextlib.suppress(queue.Full):
            self._waiting.put_nowait(None)
        if self._thread is not None:
            self._thread.join(END_SECONDS)

    def _write_all(self) -> None:
        while True:
            rows, is_last = self._take()
            self._write(rows)
            if is_last:
                return
            self._ending.wait(WRITE_EVERY_SECONDS)

    def _take(self) -> tuple[list[Alarm], bool]:
        """What waits, at least one, and whether it is the end."""
        found = [self._waiting.get()]
        while len(found) < MOST_A_WRITE:
            try:
                found.append(self._waiting.get_nowait())
            except queue.Empty:
                break
        return merged([row for row in found if row is not None]), None in found

    def _write(self, rows: list[Alarm]) -> None:
        """Insert them; while the database is away they are held, and the queue behind them fills."""
        wait = WRITE_EVERY_SECONDS
        while rows:
            try:
                Alarm.objects.bulk_create(rows)
                return
            except Error as error:
                log.error("security_events_not_kept", error=type(error).__name__, waiting=len(rows))
                if self._ending.wait(wait):
                    SECURITY_EVENTS_DROPPED.inc(sum(row.count for row in rows))
                    return
                wait = min(wait * 2, LONGEST_BACKOFF_SECONDS)
            finally:
                connections.close_all()


def plain(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Facts as JSON of bounded size."""
    return {
        str(name)[:64]: value if isinstance(value, bool | int | None) else str(value)[:LONGEST_FACT]
        for name, value in list(facts.items())[:20]
    }


def merged(rows: list[Alarm]) -> list[Alarm]:
    """Equal events of one write as one row that counts them."""
    found: dict[str, Alarm] = {}
    for row in rows:
        key = json.dumps([row.kind, row.facts, str(row.about_tenant), str(row.about_user)], sort_keys=True)
        if key in found:
            found[key].count += 1
        else:
            found[key] = row
    return list(found.values())


keeper = Keeper()
