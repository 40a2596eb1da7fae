"""What somebody who watches this installation must hear of: one call, from any room.

It is a log line at once, whatever becomes of the transaction; what else hears it (a metric, a page) is told by the
watchers of higher rooms, after the call and on their own.
"""

from __future__ import annotations

import threading
import time
from enum import StrEnum
from typing import Any

import structlog

from .measures import SECURITY_EVENTS
from .slots import SecurityEvent, slots

log = structlog.get_logger(__name__)
QUIET_SECONDS = 600.0
MOST_REMEMBERED = 5000
_raised: dict[tuple[str, str], float] = {}
_lock = threading.Lock()


class Kind(StrEnum):
    """The kinds there are; each is a label of the metric, so the list stays short."""

    TOKEN_REUSED = "token_reused"
    BRUTE_FORCE = "brute_force"
    ESCALATION_DENIED = "escalation_denied"
    CHAIN_BROKEN = "chain_broken"
    ACT_UNLOGGED = "act_unlogged"
    WEBHOOK_FORGED = "webhook_forged"
    CONTEXT_FORGED = "context_forged"
    JOB_FORGED = "job_forged"
    IDENTITY_FORGED = "identity_forged"
    DOMAIN_MISSING = "domain_missing"
    FILE_CORRUPT = "file_corrupt"
    POLICY_VIOLATED = "policy_violated"
    SUPPORT_ENTERED = "support_entered"


for _kind in Kind:
    SECURITY_EVENTS.labels(_kind.value)  # a series that begins at 1 would never be seen to rise


def security_event(kind: Kind, **facts: Any) -> None:
    """Tell everybody who watches. `facts` hold ids, numbers and names of ours, never what a person typed. Never raises."""
    event = SecurityEvent(kind.value, facts)
    log.warning("security_event", kind=event.kind, **facts)
    SECURITY_EVENTS.labels(event.kind).inc()
    for watcher in slots.watchers:
        try:
            watcher.run(event)
        except Exception:
            # Whoever watches must not be able to stop what is watched.
            log.exception("watcher_failed", watcher=watcher.key)


def security_event_now_and_then(kind: Kind, *, about: str, **facts: Any) -> None:
    """As above, at most once in ten minutes for one kind and `about`: what anybody can repeat at will must not flood."""
    now = time.monotonic()
    with _lock:
        if now < _raised.get((kind.value, about), 0.0):
            return
        if len(_raised) >= MOST_REMEMBERED:
            _raised.clear()
        _raised[kind.value, about] = now + QUIET_SECONDS
    security_event(kind, **facts)
