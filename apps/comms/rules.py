"""When a webhook is tried again, and what an answer means: pure decisions."""

from __future__ import annotations

from datetime import timedelta

MINUTE, HOUR = 60, 3600
# Seconds after each attempt that failed: eight attempts over just under a day.
WAITS = (5, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 8 * HOUR, 8 * HOUR)
FAILING_FOR = timedelta(days=3)
OVERLAP = timedelta(hours=24)
MOST_ENDPOINTS = 20
GONE = 410


def wait_after(tries: int) -> int | None:
    """Seconds until the next attempt after so many; None when it is given up."""
    return WAITS[tries - 1] if tries <= len(WAITS) else None


def is_taken(status: int | None) -> bool:
    """Whether the receiver took it: 2xx only; a redirect did not, since none is followed."""
    return status is not None and 200 <= status < 300


def excerpt_of(body: bytes, most: int = 500) -> str:
    """The beginning of an answer, as plain text on one line."""
    text = body.decode("utf-8", "replace")
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())[:most]
