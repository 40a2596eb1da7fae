"""Which cohort somebody is in: pure, the same on every machine, and recomputable from the receipt by anyone.

Growing a threshold only ever adds to a cohort. `flagd-3` hashes the canonical CBOR of [salt, unit], `flagd-2` their
concatenation, `unleash-1` the Unleash way; a flag keeps the algorithm and the salt that it was made with.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import mmh3

BUCKETS = 100_000
ALGORITHMS = ("flagd-3", "flagd-2", "unleash-1")


@dataclass(frozen=True)
class Rule:
    """A flag as evaluation needs it; `threshold` counts buckets of 100,000."""

    key: str
    algo: str
    salt: str
    threshold: int
    is_killed: bool
    version: int


@dataclass(frozen=True)
class Evaluation:
    """An answer with its reason (OFREP's words), and in `receipt` what lets anyone compute it again."""

    key: str
    value: bool
    reason: str
    receipt: dict[str, Any]

    @property
    def variant(self) -> str:
        return "on" if self.value else "off"


def decide(rule: Rule, unit: str, override: bool | None) -> Evaluation:
    """Kill before override before cohort."""
    at = bucket(rule.algo, rule.salt, unit)
    receipt = {
        "algo": rule.algo,
        "salt": rule.salt,
        "bucket": at,
        "threshold": rule.threshold,
        "version": rule.version,
    }
    if rule.is_killed:
        return Evaluation(rule.key, False, "DISABLED", receipt)
    if override is not None:
        return Evaluation(rule.key, override, "TARGETING_MATCH", receipt)
    return Evaluation(rule.key, at < rule.threshold, "SPLIT", receipt)


def bucket(algo: str, salt: str, unit: str) -> int:
    """0 to 99,999. Raises ValueError for an unknown algorithm."""
    if algo == "flagd-3":
        return (mmh3.hash(_prefix(salt) + _text(unit), 0, False) * BUCKETS) >> 32
    if algo == "flagd-2":
        return (mmh3.hash((salt + unit).encode(), 0, False) * BUCKETS) >> 32
    if algo == "unleash-1":
        # 1 to 100 there; here the first of each thousand, so that a threshold means the same share.
        return (mmh3.hash(f"{salt}:{unit}".encode(), 0, False) % 100) * (BUCKETS // 100)
    raise ValueError(f"There is no algorithm {algo}.")


@lru_cache(maxsize=1024)
def _prefix(salt: str) -> bytes:
    """The start of a CBOR array of two texts, with the first of them."""
    return b"\x82" + _text(salt)


def _text(value: str) -> bytes:
    """A CBOR text, its length in the shortest form (RFC 8949, section 4.2.1)."""
    raw = value.encode()
    size = len(raw)
    if size < 24:
        return bytes((0x60 + size,)) + raw
    return (b"\x78" + bytes((size,)) if size < 256 else b"\x79" + size.to_bytes(2, "big")) + raw
