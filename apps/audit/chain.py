"""The hash chain: pure functions, storage left to the caller.

leaf = SHA256(0x00 ‖ entry), as in RFC 6962, section 2.1; chain = SHA256(previous chain ‖ leaf), from 32 zero bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from .tree import leaf_hash

START = bytes(32)


@dataclass(frozen=True)
class Link:
    """One stored place of the chain, with the entry's bytes as they are stored now."""

    seq: int
    leaf: bytes
    chain: bytes
    entry: bytes


class Broken(Exception):
    """The chain does not hold; `seq` is the first place where it fails."""

    def __init__(self, seq: int, reason: str) -> None:
        super().__init__(f"#{seq}: {reason}")
        self.seq = seq
        self.reason = reason


def chain_of(previous: bytes, leaf: bytes) -> bytes:
    """The head of the chain after one more leaf, 32 bytes."""
    return hashlib.sha256(previous + leaf).digest()


def walk(links: Iterable[Link], head: bytes = START, expected: int = 0) -> tuple[bytes, int]:
    """Follow links in order from a head; returns the new head and the next seq. Raises Broken at the first fault."""
    for link in links:
        if link.seq != expected:
            raise Broken(expected, "this place of the chain is missing")
        if link.leaf != leaf_hash(link.entry):
            raise Broken(link.seq, "the entry's bytes are not those that were sealed")
        head = chain_of(head, link.leaf)
        if link.chain != head:
            raise Broken(link.seq, "the chain does not follow from the place before")
        expected += 1
    return head, expected
