"""Whether a webhook that comes in is what it says: its signature over the raw bytes, and its time, both ways.

The libraries compute and compare (HMAC-SHA-256, constant time); what they let slip is held here: any exception of theirs
means forged, a time ahead of ours counts like one behind, and several secrets hold while one is replaced.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from standardwebhooks import Webhook

SKEW_SECONDS = 300
LONGEST_ID, LONGEST_TYPE = 255, 100


class Fault(StrEnum):
    """What is wrong with a webhook; the sender is told no more than that it was not accepted."""

    NOT_CONFIGURED = "not_configured"
    SIGNATURE = "signature"
    TIME = "time"
    MALFORMED = "malformed"


class Forged(Exception):
    """It cannot be shown to come from its sender now."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.value)
        self.fault = fault


@dataclass(frozen=True)
class Message:
    """A verified event: its sender's id for it, its type, and all that it says."""

    event_id: str
    type: str
    body: Mapping[str, Any]


def standard(raw: bytes, headers: Mapping[str, str], secrets: Sequence[str]) -> Message:
    """A message as Standard Webhooks signs it. Raises Forged."""
    _configured(secrets)
    given = {name.lower(): value for name, value in headers.items() if name.lower().startswith("webhook-")}
    _in_time(given.get("webhook-timestamp", ""))
    _any_secret(secrets, lambda secret: Webhook(secret).verify(raw, given, json_parse=False))
    return _message(raw, given.get("webhook-id", ""))


def of_stripe(raw: bytes, signature: str, secrets: Sequence[str]) -> Message:
    """An event as Stripe signs it. Raises Forged."""
    import stripe  # here, since it is slow to load, and most processes never meet it

    _configured(secrets)
    check = stripe.WebhookSignature.verify_header
    _in_time(next((part[2:] for part in signature.split(",") if part.startswith("t=")), ""))
    _any_secret(secrets, lambda secret: check(raw, signature, secret, tolerance=0))
    return _message(raw, None)


def _configured(secrets: Sequence[str]) -> None:
    if not secrets:
        raise Forged(Fault.NOT_CONFIGURED)


def _any_secret(secrets: Sequence[str], check: Callable[[str], object]) -> None:
    """Pass where one secret fits; every one is tried, whichever it was."""
    fits = [_holds(check, secret) for secret in secrets]
    if not any(fits):
        raise Forged(Fault.SIGNATURE)


def _holds(check: Callable[[str], object], secret: str) -> bool:
    try:
        check(secret)
    except Exception:
        # ValueError, binascii.Error, UnicodeDecodeError …: whatever an odd message makes a library raise.
        return False
    return True


def _in_time(text: str) -> None:
    if not (text.isascii() and text.isdigit() and len(text) <= 12):
        raise Forged(Fault.TIME)
    if abs(time.time() - int(text)) > SKEW_SECONDS:
        raise Forged(Fault.TIME)


def _message(raw: bytes, event_id: str | None) -> Message:
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        raise Forged(Fault.MALFORMED) from None
    if not isinstance(body, dict):
        raise Forged(Fault.MALFORMED)
    identity, type_ = event_id if event_id is not None else body.get("id"), body.get("type")
    if not (_is_word(identity, LONGEST_ID) and _is_word(type_, LONGEST_TYPE)):
        raise Forged(Fault.MALFORMED)
    return Message(str(identity), str(type_), body)


def _is_word(value: object, longest: int) -> bool:
    return isinstance(value, str) and 0 < len(value) <= longest and value.isascii() and value.isprintable()
