"""What somebody who watches this installation must hear of: one call, from any room.

It is a log line at once, whatever becomes of the transaction; what else hears it (a metric, a page) is told by the
watchers of higher rooms, after the call and on their own.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import structlog

from .slots import SecurityEvent, slots

log = structlog.get_logger(__name__)


class Kind(StrEnum):
    """The kinds there are; each is a label of the metric, so the list stays short."""

    TOKEN_REUSED = "token_reused"
    BRUTE_FORCE = "brute_force"
    ESCALATION_DENIED = "escalation_denied"
    CHAIN_BROKEN = "chain_broken"
    WEBHOOK_FORGED = "webhook_forged"
    CONTEXT_FORGED = "context_forged"
    IDENTITY_FORGED = "identity_forged"
    FILE_CORRUPT = "file_corrupt"
    POLICY_VIOLATED = "policy_violated"
    SUPPORT_ENTERED = "support_entered"


def security_event(kind: Kind, **facts: Any) -> None:
    """Tell everybody who watches. `facts` hold ids, numbers and names of ours, never what a person typed. Never raises."""
    event = SecurityEvent(kind.value, facts)
    log.warning("security_event", kind=event.kind, **facts)
    for watcher in slots.watchers:
        try:
            watcher.run(event)
        except Exception:
            # Whoever watches must not be able to stop what is watched.
            log.exception("watcher_failed", watcher=watcher.key)
