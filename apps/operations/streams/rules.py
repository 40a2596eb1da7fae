"""What is sent of an entry, and when it is tried again: pure decisions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

MINUTE, HOUR = 60, 3600
# Seconds after each failure in a row; from then on the last. It is never given up: the log itself is the queue.
WAITS = (5, 30, 2 * MINUTE, 10 * MINUTE, 30 * MINUTE, HOUR)
MOST_STREAMS = 5
# Owners are told once a stream has failed for so long, at its next failure; and again when it works.
TELL_AFTER = timedelta(minutes=30)
# One that fails or answers slowly is sent in a lane of its own, so that it holds up none that is well.
LANE, SLOW_LANE = "streams", "streams_slow"
SLOW_MS = 2000
MOST_EVENTS = 100
MOST_BYTES = 512 * 1024
OVERLAP = timedelta(hours=24)
CONTENT_TYPE = "application/cloudevents-batch+json"
TEST = "orkestra.audit.test"
PRUNED = "orkestra.audit.pruned_place"  # an entry whose bytes retention has taken: its place and leaf remain


@dataclass(frozen=True)
class Sealed:
    """An entry in its place: `said` is what its bytes say, None where retention has taken them; `leaf` is base64."""

    seq: int
    entry: str
    action: str
    time: str
    leaf: str
    said: dict[str, Any] | None


def wait_after(tries: int) -> int:
    """Seconds until the next attempt after so many failures in a row."""
    return WAITS[min(tries, len(WAITS)) - 1]


def is_slow(milliseconds: int | None) -> bool:
    """Whether an answer took so long that others should not wait for the next one."""
    return milliseconds is not None and milliseconds >= SLOW_MS


def lane(*, fails: bool, milliseconds: int | None) -> str:
    """The queue by which a stream is sent next, as its last answer says."""
    return SLOW_LANE if fails or is_slow(milliseconds) else LANE


def event(source: str, one: Sealed) -> dict[str, Any]:
    """A CloudEvent 1.0. `id` is the entry's, to know repetitions by; `sequence` sorts as text (the sequence extension).

    `data` is the entry, whose canonical bytes (RFC 8785) hash to `leafhash`. Addresses and browsers stand in it as
    commitments only.
    """
    return {
        "specversion": "1.0",
        "id": one.entry,
        "source": source,
        "type": f"orkestra.audit.{one.action}" if one.action else PRUNED,
        "time": one.time,
        "datacontenttype": "application/json",
        "sequence": f"{one.seq:020d}",
        "leafhash": one.leaf,
        "data": one.said,
    }


def test_event(source: str, identity: str, time: str) -> dict[str, Any]:
    """A harmless event without a place in the log."""
    return {
        "specversion": "1.0", "id": identity, "source": source, "type": TEST, "time": time,
        "datacontenttype": "application/json", "data": {},
    }  # fmt: skip


def batch(events: Sequence[dict[str, Any]]) -> tuple[str, int]:
    """As many events as fit into one message, as its text, and how many; at least one."""
    parts: list[str] = []
    size = 2
    for one in events[:MOST_EVENTS]:
        text = json.dumps(one, ensure_ascii=False, separators=(",", ":"))
        size += len(text.encode()) + 1
        if parts and size > MOST_BYTES:
            break
        parts.append(text)
    return f"[{','.join(parts)}]", len(parts)
