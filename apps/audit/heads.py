"""What Settings → Audit log says of the log itself: how long it is, when it was verified, and what is held outside."""

from __future__ import annotations

from dataclasses import dataclass

from apps.tenants.context import current_tenant

from . import evidence, keys
from .anchored import HeldHead, held_outside
from .incarnations import incarnation
from .models import Verified, Waiting
from .pruning import Pruned, recorded


@dataclass(frozen=True)
class LogHead:
    """Sizes of the log: entries that are sealed, that wait for it, and over which a head was signed; its name and the keys that sign it."""

    sealed: int
    waiting: int
    signed: int
    verified: Verified | None
    outside: list[HeldHead]
    pruned: Pruned
    origin: str
    fingerprints: list[str]


def head() -> LogHead:
    """The head of the log in force, from a few short reads; nothing is verified or counted for it."""
    return LogHead(
        sealed=evidence.sealed_size(),
        waiting=Waiting.objects.count(),
        signed=evidence.signed_size(),
        verified=Verified.objects.first(),
        outside=held_outside(current_tenant()),
        pruned=recorded(),
        origin=keys.origin_of(current_tenant(), incarnation()),
        fingerprints=[keys.fingerprint(public) for public in keys.public_keys()],
    )
