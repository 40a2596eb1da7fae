"""What the person at the terminal sees: one line a step, and how long each takes once it takes over two seconds."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

QUIET_SECONDS = 2.0


def say(text: str) -> None:
    print(text, flush=True)


@contextmanager
def step(text: str) -> Iterator[None]:
    """Show progress for a step that takes more than two seconds, and nothing for a shorter one."""
    done = threading.Event()
    started = time.monotonic()
    ticker = threading.Thread(target=_tick, args=(text, done), daemon=True)
    ticker.start()
    try:
        yield
    finally:
        done.set()
        ticker.join()
        if (elapsed := time.monotonic() - started) > QUIET_SECONDS:
            end = "\r" if sys.stdout.isatty() else ""
            say(f"{end}{text} … {elapsed:.0f} s")


def _tick(text: str, done: threading.Event) -> None:
    if done.wait(QUIET_SECONDS):
        return
    seconds = int(QUIET_SECONDS)
    while True:
        if sys.stdout.isatty():
            print(f"\r{text} … {seconds} s", end="", flush=True)
        elif seconds == int(QUIET_SECONDS):
            say(f"{text} …")
        if done.wait(1):
            return
        seconds += 1
