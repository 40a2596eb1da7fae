"""Read a log quickly and compare everything in it: bytes, leaves, chain, numbering, tree, and what the pages display.

Hashing is done here; PostgreSQL tells of which entries it cannot say that the displayed columns are what the bytes are,
and those alone are compared here. Where a span differs in any way it is read again entry by entry, which is slow and
names the first fault and its kind. Memory is constant.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db import connection

from apps.tenants.context import current_tenant

from . import canonical, tree
from .chain import chain_of, chains_of
from .models import Entry, Seal
from .spans import Span, spans
from .storage import TILE

RANGE = 16384  # places that one query brings
# A walk has shown that every seal has an entry of its own; then the three numbers agree where no entry is left out.
COUNTS = """
    SELECT (SELECT count(*) FROM audit_entry e WHERE e.tenant_id = t) = (SELECT count(*) FROM audit_seal s WHERE s.tenant_id = t)
      + (SELECT count(*) FROM audit_waiting w JOIN audit_entry e ON e.tenant_id = w.tenant_id AND e.id = w.id
         WHERE w.tenant_id = t AND NOT EXISTS (SELECT 1 FROM audit_seal s WHERE s.tenant_id = w.tenant_id AND s.entry_id = w.id))
    FROM (SELECT %s::uuid AS t) AS asked"""


class Kind(StrEnum):
    """What was done to a log."""

    GAP = "gap"
    ENTRY_MISSING = "entry_missing"
    ENTRY_CHANGED = "entry_changed"
    BODY_MISSING = "body_missing"
    CHAIN_CHANGED = "chain_changed"
    DISPLAY_CHANGED = "display_changed"
    TREE_CHANGED = "tree_changed"
    SIGNED_OTHERWISE = "signed_otherwise"
    TAIL_CUT = "tail_cut"
    CHECKPOINT_CHANGED = "checkpoint_changed"
    CHECKPOINT_MISSING = "checkpoint_missing"
    HEAD_NOT_OURS = "head_not_ours"
    RECEIPT_BROKEN = "receipt_broken"
    FORGOTTEN = "forgotten"
    PLACE_HIDDEN = "place_hidden"
    ANCHOR_DIFFERS = "anchor_differs"
    ORIGIN_UNEXPLAINED = "origin_unexplained"


class Damage(Exception):
    """The log is not what it was; `seq` is the first place where that shows."""

    def __init__(self, kind: Kind, seq: int, reason: str) -> None:
        super().__init__(f"#{seq}: {reason}")
        self.kind, self.seq, self.reason = kind, seq, reason

    def __reduce__(self) -> Any:
        return Damage, (self.kind, self.seq, self.reason)


@dataclass
class Walked:
    """What a walk over [start, end) saw: the chain there, the roots of full tiles, and the peaks at asked sizes.

    Below `pruned_until` a body may be missing, as an act of the log says; `pruned` counts those that are.
    """

    start: int
    limit: int
    before: bytes
    head: bytes
    end: int = 0
    tiles: list[bytes] = field(default_factory=list)
    rest: list[bytes] = field(default_factory=list)
    peaks: dict[int, list[bytes]] = field(default_factory=dict)
    pruned_until: int = 0
    pruned: int = 0


def walk_log(
    tenant: UUID, start: int, end: int, before: bytes, sizes: Sequence[int] = (), pruned_until: int = 0
) -> Walked:
    """Walk the entries [start, end) of the tenant in force; start is a multiple of 256. Raises Damage at the first fault.

    `before` is the chain that leads to start, `sizes` are those at which something was signed: for each inside, the
    peaks of the leaves since its tile began are kept.
    """
    found = Walked(start, end, before, before, start, pruned_until=pruned_until)
    asked = sorted(size for size in sizes if start < size <= end)
    for low in range(start, end, RANGE):
        for span in spans(tenant, low, min(low + RANGE, end)):
            _grow(found, _checked(span, found), asked)
    return found


def refuse_hidden_places() -> None:
    """Walks and exports begin at place 0, so nothing may be sealed before it: it would be counted and never seen.

    Raises Damage. What is beyond a hole is found by the walk, as the last place gives the size.
    """
    first = Seal.objects.order_by("seq").first()
    if first is not None and first.seq < 0:
        reason = f"entry {first.entry_id} is sealed before the first place, where nobody looks"
        raise Damage(Kind.PLACE_HIDDEN, first.seq, reason)


def counts_agree() -> bool:
    """Whether as many entries of the tenant in force are sealed or wait as there are, in one look at the log."""
    with connection.cursor() as cursor:
        cursor.execute(COUNTS, [current_tenant()])
        return bool(cursor.fetchone()[0])


def _checked(span: Span, found: Walked) -> list[bytes]:
    """The leaves of a span; `found.head` and `.end` move on. Raises Damage."""
    bodies = span.in_order()
    if len(bodies) != span.end - span.start:
        return _slowly(span, found)
    leaves = tree.leaf_hashes(bodies)
    pruned = [at for at, body in enumerate(bodies) if not body] if b"" in bodies else []
    if pruned and span.start + pruned[-1] >= found.pruned_until:
        return _slowly(span, found)
    for at in pruned:
        leaves[at] = span.leaf(at)
    chain = chains_of(found.head, leaves)
    if b"".join(leaves) != span.leaves or b"".join(chain) != span.chain:
        return _slowly(span, found)
    _compare_one_by_one(span)
    found.head, found.end, found.pruned = chain[-1], span.end, found.pruned + len(pruned)
    return leaves


def _compare_one_by_one(span: Span) -> None:
    """What the pages display of the entries that PostgreSQL could not tell. Raises Damage."""
    if span.others:
        places = Seal.objects.filter(entry_id__in=span.others, seq__gte=span.start, seq__lt=span.end)
        for place in places.select_related("entry").order_by("seq"):
            compare(place.seq, place.entry)


def _slowly(span: Span, found: Walked) -> list[bytes]:
    """The same entry by entry, to name the first fault."""
    rows = list(Seal.objects.filter(seq__gte=span.start, seq__lt=span.end))
    seals, often = {seal.seq: seal for seal in rows}, Counter(seal.seq for seal in rows)
    entries = Entry.objects.in_bulk([seal.entry_id for seal in rows])
    leaves: list[bytes] = []
    for seq in range(span.start, span.end):
        if often[seq] > 1:
            raise Damage(Kind.GAP, seq, "this place of the chain is there more than once")
        if (place := seals.get(seq)) is None:
            raise Damage(Kind.GAP, seq, "this place of the chain is missing")
        if (entry := entries.get(place.entry_id)) is None:
            raise Damage(Kind.ENTRY_MISSING, seq, "the entry of this place is missing")
        leaf = _leaf(seq, entry, place, found)
        if leaf != bytes(place.leaf):
            raise Damage(Kind.ENTRY_CHANGED, seq, "the entry's bytes are not those that were sealed")
        found.head = chain_of(found.head, leaf)
        if found.head != bytes(place.chain):
            raise Damage(Kind.CHAIN_CHANGED, seq, "the chain does not follow from the place before")
        compare(seq, entry)
        leaves.append(leaf)
    found.end = span.end
    return leaves


def _leaf(seq: int, entry: Entry, place: Seal, found: Walked) -> bytes:
    """The leaf of an entry's bytes; of one that was pruned by a recorded act, the leaf that is stored. Raises Damage."""
    if entry.body:
        return tree.leaf_hash(bytes(entry.body))
    if seq >= found.pruned_until:
        raise Damage(Kind.BODY_MISSING, seq, "the entry's bytes are gone, and no recorded pruning covers this place")
    found.pruned += 1
    return bytes(place.leaf)


def compare(seq: int, entry: Entry) -> None:
    """What the pages display must be what the bytes say, and nothing where these were pruned. Raises Damage."""
    if not entry.body:
        if any((entry.action, entry.actor_type, entry.actor_id, entry.target_type, entry.target_id, entry.target_label,
                entry.outcome, entry.request_id)):  # fmt: skip
            raise Damage(Kind.DISPLAY_CHANGED, seq, "a pruned entry displays what nobody can prove any more")
        return
    try:
        said = written(canonical.decode(bytes(entry.body)))
    except canonical.NotCanonical as fault:
        raise Damage(Kind.ENTRY_CHANGED, seq, str(fault)) from None
    except (KeyError, TypeError, AttributeError):
        raise Damage(Kind.ENTRY_CHANGED, seq, "the bytes are not those of an entry") from None
    if shown(entry) != said:
        raise Damage(Kind.DISPLAY_CHANGED, seq, "what the pages display is not what was written")


def _grow(found: Walked, leaves: list[bytes], asked: list[int]) -> None:
    """Fold leaves into tiles, keeping the peaks at each asked size."""
    found.rest.extend(leaves)
    while True:
        since = found.start + TILE * len(found.tiles)
        while asked and asked[0] <= since + min(len(found.rest), TILE):
            size = asked.pop(0)
            found.peaks[size] = [
                tree.perfect_hash(found.rest[index << level : (index + 1) << level])
                for level, index in tree.cover(0, size - since)
            ]
        if len(found.rest) < TILE:
            return
        found.tiles.append(tree.perfect_hash(found.rest[:TILE]))
        del found.rest[:TILE]


def shown(entry: Entry) -> tuple[Any, ...]:
    """The columns that pages and filters use, as the bytes would name them."""
    return (
        str(entry.tenant_id),
        str(entry.pk),
        canonical.timestamp(entry.time),
        entry.action,
        entry.actor_type,
        str(entry.actor_id) if entry.actor_id else None,
        (entry.target_type, str(entry.target_id) if entry.target_id else None, entry.target_label),
        entry.outcome,
        entry.request_id,
    )


def written(document: dict[str, Any]) -> tuple[Any, ...]:
    """The same values, from the bytes."""
    first = next(iter(document["targets"]), {"type": "", "id": None, "label": ""})
    return (
        document["log"],
        document["id"],
        document["time"],
        document["action"],
        document["actor"]["type"],
        document["actor"]["id"],
        (first["type"], first["id"], first["label"]),
        document["outcome"],
        document["request_id"],
    )
