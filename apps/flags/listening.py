"""One thread a process hears when flags change, on a connection past any pooler; without it the poll still sees it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

import psycopg
import structlog
from django.conf import settings

log = structlog.get_logger(__name__)
CHANNEL = "orkestra_flags"
AGAIN_SECONDS = 5.0
LOOK_SECONDS = 60.0


class Listener:
    """Starts once a process, at its first question; calls back at each change, and after each time it was deaf."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._lock = threading.Lock()
        self._pid = 0
        self.hears = threading.Event()
        self._ended = threading.Event()

    def end(self) -> None:
        """Listen no more, once the connection breaks or says something."""
        self._ended.set()

    def start(self) -> None:
        """Listen from now on; calling it again does nothing, but for a process that was forked meanwhile."""
        if self._pid == os.getpid():
            return
        with self._lock:
            if self._pid != os.getpid() and settings.DATABASE_DIRECT_URL:
                self._pid = os.getpid()
                self.hears = threading.Event()
                threading.Thread(target=self._run, name="flags", daemon=True).start()

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                self._listen()
            except psycopg.Error as error:
                if not self._ended.is_set():
                    log.warning("flags_deaf", reason=type(error).__name__)
            self.hears.clear()
            self._ended.wait(AGAIN_SECONDS)

    def _listen(self) -> None:
        """Until the connection breaks. What changed while nobody listened is read again at once."""
        with psycopg.connect(settings.DATABASE_DIRECT_URL, autocommit=True, application_name="orkestra-flags") as heard:
            heard.execute(f"LISTEN {CHANNEL}")
            self._changed()
            self.hears.set()
            while not self._ended.is_set():
                for _note in heard.notifies(timeout=LOOK_SECONDS):
                    self._changed()
                heard.execute("SELECT 1")
