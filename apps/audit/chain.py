"""The hash chain: chain = SHA256(previous chain ‖ leaf), from 32 zero bytes; the leaf is that of the tree."""

from __future__ import annotations

import hashlib

START = bytes(32)


def chain_of(previous: bytes, leaf: bytes) -> bytes:
    """The head of the chain after one more leaf, 32 bytes."""
    return hashlib.sha256(previous + leaf).digest()
