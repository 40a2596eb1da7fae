"""Read a log quickly and compare everything in it: bytes, leaves, chain, numbering, tree, and what the pages display.

PostgreSQL hands over 1024 entries as one row: their bytes joined by newlines (canonical JSON has none), their leaves, their
chain, and the places where it cannot tell that the displayed columns say what the bytes say; those alone are compared
here. Hashing is done here. Where a row of 1024 differs in any way it is read again entry by entry, which is slow and names
the first fault and its kind. Memory is constant.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID

import psycopg
from django.db import DataError, connection, transaction

from apps.tenants.context import current_tenant

from . import canonical, tree
from .chain import chain_of
from .models import Entry, Seal
from .storage import TILE

ROW = 1024
RANGE = 16 * ROW
_sha256 = hashlib.sha256
# The columns against the bytes of an entry of today's form, as bytes, since text would be counted by its characters: what
# stands before `facts`; after the entry's own id, where no fact can stand any more; and the end. Another form, and that
# of an act in somebody's place or on a visit, is compared in Python. to_char writes a year before Christ as one after.
BEGIN = """convert_to('{"action":"' || action || '","actor":{"id":' || coalesce('"' || actor_id || '"', 'null') || ',"type":"'
      || actor_type || '"},', 'UTF8')"""
MIDDLE = """convert_to('},"id":"' || id || '","impersonator":null,"log":"' || tenant_id || '","outcome":"' || outcome
      || '",', 'UTF8')"""
TARGETS = """convert_to('"request_id":"' || request_id || '","targets":[' || CASE WHEN target_id IS NULL AND target_type = ''
      AND target_label = '' THEN ']' ELSE '{"id":"' || target_id || '","label":' || to_json(target_label) || ',"type":"' || target_type || '"}' END,
      'UTF8')"""
END = """convert_to(',"time":"' || to_char(time AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US') || 'Z","v":1}', 'UTF8')"""
DISPLAYED = f"""
    position({BEGIN} IN body) = 1 AND place > 0 AND position({TARGETS} IN substr(body, place)) > 0
    AND substr(body, octet_length(body) - 43) = {END} AND time > '0001-01-02Z'"""
# An entry whose body was pruned displays nothing but when it was.
BLANK = """(action = '' AND actor_type = '' AND actor_id IS NULL AND target_type = '' AND target_id IS NULL
    AND target_label = '' AND outcome = '' AND request_id = '')"""
IDS = """
    SELECT min(entry_id::text)::uuid, max(entry_id::text)::uuid FROM audit_seal
    WHERE tenant_id = %s AND seq >= %s AND seq < %s"""
# The bounds of the ids say nothing that the join does not; with them only these entries are read, and not the whole log.
SEALED = f"""
    SELECT seq, leaf, chain, e.*, position({MIDDLE} IN body) AS place
    FROM (SELECT seq, leaf, chain, entry_id FROM audit_seal WHERE tenant_id = %s AND seq >= %s AND seq < %s) AS s
    LEFT JOIN (
      SELECT id, tenant_id, time, action, actor_type, actor_id, target_type, target_id, target_label, outcome, request_id, body
      FROM audit_entry WHERE tenant_id = %s AND id BETWEEN %s AND %s
    ) AS e ON e.id = s.entry_id OFFSET 0"""
READ = f"""
    SELECT min(seq), count(*), count(id), string_agg(leaf, '' ORDER BY seq), string_agg(chain, '' ORDER BY seq),
           string_agg(body, '\\x0a' ORDER BY seq),
           array_agg(seq) FILTER (
             WHERE (CASE WHEN octet_length(body) = 0 THEN {BLANK} ELSE {DISPLAYED} END) IS NOT TRUE)
    FROM ({SEALED}) AS sealed GROUP BY seq / {ROW}"""

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
        for row in _rows(tenant, low, min(low + RANGE, end)):
            leaves = _checked(row, found)
            _grow(found, leaves, asked)
        if found.end != min(low + RANGE, end):
            raise Damage(Kind.GAP, found.end, "this place of the chain is missing")
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


@dataclass(frozen=True)
class _Row:
    start: int
    places: int
    entries: int
    leaves: bytes
    chain: bytes
    bodies: bytes
    others: Sequence[int] = ()

    def leaf(self, at: int) -> bytes:
        """The leaf that is stored."""
        return self.leaves[32 * at : 32 * at + 32]


def _rows(tenant: UUID, low: int, high: int) -> Iterator[_Row]:
    """Up to RANGE entries in rows of 1024; one row without its bytes where PostgreSQL cannot read them as text."""
    try:
        with transaction.atomic(), connection.cursor() as bound:
            bound.execute("SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL work_mem = '64MB'")  # a range fits
            raw = psycopg.Cursor(connection.connection)
            first, last = raw.execute(IDS, [tenant, low, high], binary=True).fetchone() or (None, None)
            found = raw.execute(READ, [tenant, low, high, tenant, first, last], binary=True).fetchall()
    except (DataError, psycopg.DataError):
        found = []
    if not found:
        yield from (_Row(at, 0, 0, b"", b"", b"") for at in range(low, high, ROW))
        return
    for start, places, entries, leaves, chain, bodies, others in sorted(found):
        yield _Row(start, places, entries, bytes(leaves), bytes(chain), bytes(bodies or b""), others or ())


def _checked(row: _Row, found: Walked) -> list[bytes]:
    """The leaves of a row; `found.head` and `.end` move on. Raises Damage."""
    first = found.end
    bodies = row.bodies.split(b"\n")
    if row.start != first or not row.places == row.entries == len(bodies):
        return _slowly(first, found)
    if b"" in bodies:
        taken = [index for index, body in enumerate(bodies) if not body]
        if first + taken[-1] >= found.pruned_until:
            return _slowly(first, found)
        found.pruned += len(taken)
    leaves = [_sha256(b"\x00" + body).digest() if body else row.leaf(at) for at, body in enumerate(bodies)]
    head, chain = found.head, []
    for leaf in leaves:
        head = _sha256(head + leaf).digest()
        chain.append(head)
    if b"".join(leaves) != row.leaves or b"".join(chain) != row.chain:
        return _slowly(first, found)
    _compare_one_by_one(row.others)
    found.head, found.end = head, first + len(leaves)
    return leaves


def _compare_one_by_one(seqs: Sequence[int]) -> None:
    """What the pages display of the entries at these places. Raises Damage."""
    places = Seal.objects.filter(seq__in=seqs).select_related("entry").order_by("seq") if seqs else ()
    for place in places:
        compare(place.seq, place.entry)


def _slowly(first: int, found: Walked) -> list[bytes]:
    """The same entry by entry, to name the first fault."""
    end = min((first // ROW + 1) * ROW, found.limit)
    seals = {seal.seq: seal for seal in Seal.objects.filter(seq__gte=first, seq__lt=end)}
    entries = Entry.objects.in_bulk([seal.entry_id for seal in seals.values()])
    leaves: list[bytes] = []
    for seq in range(first, end):
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
    found.end = end
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
