"""Retention: take the bodies of old entries away, and let the log say so, so that pruning cannot hide a deletion.

Leaves, chain, nodes and checkpoints stay, so all that was signed still verifies. What is taken is always the beginning of
the log, up to a place that an `audit.pruned` entry after it names; a body that is missing anywhere else is damage.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db import connection, transaction

from apps.tenants import clock
from apps.tenants.context import current_tenant

from . import canonical, evidence
from .actions import record
from .models import Entry, Seal
from .sealer import seal

LEAST_DAYS = 30  # the database refuses to take anything younger, whoever asks
BATCH = 5000
NEAR = 200
ACT = "audit.pruned"


@dataclass(frozen=True)
class Pruned:
    """The newest recorded pruning: places below `until` may lack their body; `act` is its entry, `seq` its place."""

    until: int = 0
    act: UUID | None = None
    seq: int = 0


def recorded() -> Pruned:
    """What the log of the tenant in force says was pruned. An act counts once it is sealed, after all that it covers."""
    rows = Seal.objects.filter(entry__action=ACT).select_related("entry").order_by("-entry__time", "-entry__id")
    place = rows.first()
    if place is None:
        return Pruned()
    entry = place.entry
    try:
        until = int(entry.document["facts"]["until"])
    except (canonical.NotCanonical, KeyError, TypeError, ValueError):
        return Pruned()
    return Pruned(until, entry.pk, place.seq) if until <= place.seq else Pruned()


def prune(days: int) -> int:
    """Take bodies and private values that are older than so many days; returns how many places lack theirs now.

    Only what a checkpoint has signed is taken. The act is recorded and sealed first; a run that was cut short goes on.
    """
    days = max(days, LEAST_DAYS)
    seal(current_tenant())
    before, until = recorded(), _boundary(days)
    if until > before.until:
        with transaction.atomic():
            record("audit.pruned", facts={"until": until, "entries": until - before.until, "days": days})
        seal(current_tenant())
        before = recorded()
    if before.act is not None:
        _take(before)
    return before.until


def _boundary(days: int) -> int:
    """The first place that must keep its body: everything before it is old enough, and signed."""
    cutoff = clock.now() - timedelta(days=days)
    rows = Entry.objects.exclude(action="").filter(time__gte=cutoff).order_by("time", "id")
    first = list(rows.values_list("pk", flat=True)[:NEAR])
    places = Seal.objects.filter(entry_id__in=first).values_list("seq", flat=True)
    return min([evidence.sealed_size() if not first else evidence.signed_size(), evidence.signed_size(), *places])


def _take(found: Pruned) -> None:
    """In batches, each a transaction of its own, from the first place that still has its body."""
    with connection.cursor() as cursor:
        for low in range(first_kept(found.until), found.until, BATCH):
            cursor.execute("SELECT orkestra_prune_log(%s, %s, %s)", [found.act, low, min(low + BATCH, found.until)])


def first_kept(until: int) -> int:
    """By halving: bodies are taken from the beginning on."""
    low, high = 0, until
    while low < high:
        middle = (low + high) // 2
        kept = Entry.objects.filter(seals__seq=middle).exclude(action="").exists()
        low, high = (low, middle) if kept else (middle + 1, high)
    return low
