"""The exact bytes of an entry: the subset of JSON on which Python's encoder equals RFC 8785.

Allowed: string, integer within ±2^53, bool, null, list, object with ASCII keys. What is outside is refused, never
converted, so that nobody can disagree later about what was hashed.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

LARGEST_INTEGER = 2**53


class NotCanonical(ValueError):
    """A value that has no agreed bytes; the message names the place."""


def encode(value: Any) -> bytes:
    """The canonical UTF-8 bytes. Raises NotCanonical."""
    _check(value, "entry")
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def decode(body: bytes) -> Any:
    """The value of canonical bytes. Raises NotCanonical when they are not exactly the bytes of their value."""
    try:
        value = json.loads(body)
    except ValueError as error:
        raise NotCanonical(f"not JSON: {error}") from None
    if encode(value) != body:
        raise NotCanonical("the bytes are not the canonical bytes of their value")
    return value


def timestamp(moment: datetime) -> str:
    """`2026-11-23T09:14:07.000000Z`: UTC, always with microseconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _check(value: Any, place: str) -> None:
    if value is None or isinstance(value, bool):
        return
    if isinstance(value, int):
        if abs(value) > LARGEST_INTEGER:
            raise NotCanonical(f"{place}: the integer is beyond ±2^53")
    elif isinstance(value, str):
        _check_text(value, place)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _check(item, f"{place}.{index}")
    elif isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str) or not key.isascii():
                raise NotCanonical(f"{place}: the key {key!r} is not ASCII text")
            _check(item, f"{place}.{key}")
    else:
        raise NotCanonical(f"{place}: {type(value).__name__} is not allowed")


def _check_text(value: str, place: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise NotCanonical(f"{place}: the text has a lone surrogate") from None
