"""The hash chain: chain = SHA256(previous chain ‖ leaf), from 32 zero bytes; the leaf is that of the tree."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

START = bytes(32)
_EMPTY = hashlib.sha256()  # a copy is made in half the time of a new one


def chain_of(previous: bytes, leaf: bytes) -> bytes:
    """The head of the chain after one more leaf, 32 bytes."""
    return hashlib.sha256(previous + leaf).digest()


def chains_of(previous: bytes, leaves: Iterable[bytes]) -> list[bytes]:
    """The heads of the chain after each of these leaves."""
    new, heads = _EMPTY.copy, []
    for leaf in leaves:
        hashed = new()
        hashed.update(previous + leaf)
        heads.append(previous := hashed.digest())
    return heads
