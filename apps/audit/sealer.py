"""Number and chain what is committed and not yet sealed; the only code that runs as the sealer's role.

One at a time per tenant, by an advisory lock that ends with the transaction. What waits stands in a list that a trigger
fills in the transaction of the entry: a cursor over ids would miss transactions that commit late. The transaction that
seals also stores the nodes of the tree and takes the entries off the list, so a kill at any moment leaves all or nothing.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.db import IntegrityError, connections, transaction

from apps.tenants.context import TenantContext, tenant_context
from apps.tenants.ids import new_id
from apps.tenants.security_events import Kind, security_event

from . import storage, tree
from .chain import START, chains_of
from .models import Log
from .words import ways_of, words_of

BATCH = 5000
ALIAS = "sealer"
REMEMBERED_LOGS = 1000
ALARM_EVERY_SECONDS = 60.0
NEXT = """
    SELECT w.id, e.body, e.time::text, e.target_label FROM audit_waiting w
    LEFT JOIN audit_entry e ON e.tenant_id = w.tenant_id AND e.id = w.id
      AND NOT EXISTS (SELECT 1 FROM audit_seal s WHERE s.tenant_id = w.tenant_id AND s.entry_id = w.id)
    WHERE w.tenant_id = %s ORDER BY w.id LIMIT %s"""
# What a list that somebody has tampered with would hide; it asks the whole log and so is not for every half second.
FORGOTTEN = """
    SELECT e.id, e.body, e.time::text, e.target_label FROM audit_entry e
    WHERE e.tenant_id = %s
      AND NOT EXISTS (SELECT 1 FROM audit_seal s WHERE s.tenant_id = e.tenant_id AND s.entry_id = e.id)
    ORDER BY e.id LIMIT %s"""
LAST = "SELECT seq, chain FROM audit_seal WHERE tenant_id = %s ORDER BY seq DESC LIMIT 1"
WAITING = "SELECT DISTINCT tenant_id FROM audit_waiting"
FORGETTING = """
    SELECT DISTINCT e.tenant_id FROM audit_entry e
    WHERE NOT EXISTS (SELECT 1 FROM audit_seal s WHERE s.tenant_id = e.tenant_id AND s.entry_id = e.id)"""
# Columns travel as lines of one text and hashes as one run of bytes: making arrays takes a client longer than hashing.
DONE = "DELETE FROM audit_waiting WHERE tenant_id = %s AND id = ANY(string_to_array(%s, E'\\n')::uuid[])"
ADD_SEALS = """
    INSERT INTO audit_seal (tenant_id, id, seq, entry_id, leaf, chain)
    SELECT %s, i, %s + n - 1, e, substr(leaves, 32 * n::int - 31, 32), substr(chains, 32 * n::int - 31, 32)
    FROM (SELECT %s::bytea AS leaves, %s::bytea AS chains) AS hashes,
      unnest(string_to_array(%s, E'\\n')::uuid[], string_to_array(%s, E'\\n')::uuid[]) WITH ORDINALITY AS made(i, e, n)"""
ADD_WORDS = """
    INSERT INTO audit_word (tenant_id, id, word, time, entry_id)
    SELECT %s, * FROM unnest(string_to_array(%s, E'\\n')::uuid[], string_to_array(%s, E'\\n'),
      string_to_array(%s, E'\\n')::timestamptz[], string_to_array(%s, E'\\n')::uuid[]) ON CONFLICT DO NOTHING"""
ADD_NODES = """
    INSERT INTO audit_treenode (tenant_id, id, log, level, index, hash)
    SELECT %s, i, %s, l, n, h FROM unnest(%s::uuid[], %s::smallint[], %s::bigint[], %s::bytea[]) AS made(i, l, n, h)"""


@dataclass
class Head:
    """The end of one log: how many entries are sealed, the chain there, and the growing tree."""

    chain: bytes
    growing: storage.Growing

    @property
    def size(self) -> int:
        return self.growing.state.size


_entries = replace(storage.ENTRIES, alias=ALIAS)
# What this process sealed last, so that sealing n entries costs O(n); the database decides whether it still holds.
_heads: OrderedDict[UUID, Head] = OrderedDict()
_alarms: dict[UUID, float] = {}


def seal(tenant: UUID, query: str = NEXT) -> int:
    """Seal all that waits in one tenant's log; returns how many. Waits for another sealer of the same tenant.

    A log whose stored hashes are damaged is not continued: that is an alarm, and its entries wait. So it is where places
    that are to be taken are taken already, as after its tail was cut.
    """
    total = 0
    with tenant_context(TenantContext.system(tenant)):
        try:
            while found := _seal_batch(tenant, query):
                total += found
                if found < BATCH:
                    break
        except (storage.MissingHash, IntegrityError) as fault:
            _alarm(tenant, fault)
    return total


def seal_all() -> int:
    """Seal all that waits in every log; returns how many."""
    return sum(seal(tenant) for tenant in tenants(WAITING))


def seal_forgotten() -> int:
    """Seal whatever is not sealed in any log, also what is missing on the list of what waits; returns how many."""
    return sum(seal(tenant, FORGOTTEN) for tenant in tenants(FORGETTING))


def _alarm(tenant: UUID, fault: Exception) -> None:
    """Once a minute for each log, however often it is tried."""
    now = time.monotonic()
    if now - _alarms.get(tenant, -ALARM_EVERY_SECONDS) >= ALARM_EVERY_SECONDS:
        _alarms[tenant] = now
        security_event(Kind.CHAIN_BROKEN, tenant=str(tenant), reason=str(fault))


def tenants(query: str) -> list[UUID]:
    """The tenants that a query of one column finds, across all."""
    with tenant_context(TenantContext.system(None)), connections[ALIAS].cursor() as cursor:
        cursor.execute(query)
        return [row[0] for row in cursor.fetchall()]


def _seal_batch(tenant: UUID, query: str) -> int:
    """One transaction; returns how many it sealed."""
    with transaction.atomic(using=ALIAS), connections[ALIAS].cursor() as cursor:
        lock(cursor, tenant)
        cursor.execute(query, [tenant, BATCH])
        rows = cursor.fetchall()
        bodies = [(row[0], bytes(row[1])) for row in rows if row[1] is not None]
        if bodies:
            state = head(cursor, tenant)
            _heads.pop(tenant, None)
            _write(cursor, tenant, state, bodies)
            _add_words(cursor, tenant, rows)
        if rows:
            cursor.execute(DONE, [tenant, lines(row[0] for row in rows)])
    if bodies:
        _remember(tenant, state)
    return len(bodies)


def lock(cursor: Any, tenant: UUID) -> None:
    """Wait until no other transaction seals or signs this log, and keep it until this one ends."""
    cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"orkestra.seal:{tenant}"])


def head(cursor: Any, tenant: UUID) -> Head:
    """Where the log ends now: from memory where that is still its end, else read anew. Call it under the lock."""
    cursor.execute(LAST, [tenant])
    last = cursor.fetchone()
    size, chain = (last[0] + 1, bytes(last[1])) if last else (0, START)
    known = _heads.get(tenant)
    if known is not None and (known.size, known.chain) == (size, chain):
        return known
    _store_missing_nodes(cursor, tenant, size)
    return Head(chain, _entries.growing(size))


def _write(cursor: Any, tenant: UUID, end: Head, bodies: list[tuple[UUID, bytes]]) -> None:
    first, leaves = end.size, tree.leaf_hashes(body for _entry, body in bodies)
    chains = chains_of(end.chain, leaves)
    end.chain = chains[-1]
    end.growing.extend(leaves)
    ids, entries = lines(new_id() for _ in bodies), lines(entry for entry, _body in bodies)
    cursor.execute(ADD_SEALS, [tenant, first, b"".join(leaves), b"".join(chains), ids, entries])
    add_nodes(cursor, tenant, Log.ENTRIES, end.growing)


def _add_words(cursor: Any, tenant: UUID, rows: list[tuple[UUID, bytes | None, str, str]]) -> None:
    """What the entries can be found by."""
    found = [
        (new_id(), word, moment, entry)
        for entry, body, moment, label in rows
        if body is not None
        for word in (*words_of(label), *ways_of(bytes(body)))
    ]
    if found:
        cursor.execute(ADD_WORDS, [tenant, *map(lines, zip(*found, strict=True))])


def lines(values: Iterable[Any]) -> str:
    """One value a line; none of them holds a line break."""
    return "\n".join(map(str, values))


def add_nodes(cursor: Any, tenant: UUID, log: Log, growing: storage.Growing) -> None:
    """Store the nodes that have come about, and forget them."""
    made, growing.made = growing.made, []
    if made:
        places = [node for node, _hash in made]
        columns = [[new_id() for _ in made], [level for level, _ in places], [index for _, index in places]]
        cursor.execute(ADD_NODES, [tenant, log, *columns, [found for _node, found in made]])


def _store_missing_nodes(cursor: Any, tenant: UUID, size: int) -> None:
    """Make the nodes of a log that was sealed before there was a tree."""
    kept = _entries.count(storage.TILE_LEVELS) << storage.TILE_LEVELS
    if kept + storage.TILE > size:
        return
    growing = _entries.growing(kept)
    for low in range(kept, size, BATCH):
        growing.extend(storage.entry_leaves(ALIAS, low, min(low + BATCH, size)))
        add_nodes(cursor, tenant, Log.ENTRIES, growing)


def _remember(tenant: UUID, end: Head) -> None:
    _heads[tenant] = end
    while len(_heads) > REMEMBERED_LOGS:
        _heads.popitem(last=False)
