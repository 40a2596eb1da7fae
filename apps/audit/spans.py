"""A log as PostgreSQL hands it over for a walk: 256 places a time, what was sealed there and the bytes of the entries.

The bytes come joined by newlines (canonical JSON has none); beside them come the ids of the entries for which
PostgreSQL cannot tell that the displayed columns say what the bytes say. The entries are read in the order of their
ids, by an index: nearly always that is the order of the log, and where it is not they are put in order here. A span is
small so that it stays in the processor's cache, and one query brings many, since planning it takes as long as one does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any
from uuid import UUID

import psycopg
from django.db import DataError, connection, transaction

SPAN = 256  # places
HASH, ID = 32, 16  # bytes
SETTINGS = """SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL enable_memoize = off; SET LOCAL work_mem = '64MB';
    SET LOCAL TimeZone = 'UTC'"""
# The columns against the bytes of an entry of today's form, as bytes, since text would be counted by its characters: what
# stands before `facts`; what follows upon the entry's own id, where no fact can stand any more; and the end. Another form,
# and that of an act in somebody's place or on a visit, is compared in Python. A name with a quote could end the text
# where it likes; to_char writes a year before Christ as one after.
BEGIN = """textsend('{"action":"' || action || '","actor":{"id":' || coalesce('"' || actor_id || '"', 'null') || ',"type":"'
      || actor_type || '"},')"""
MIDDLE = """textsend('},"id":"' || id || ('","impersonator":null,"log":"' || %(log)s::text || '","outcome":"') || outcome || '"')"""
SHORTEST = 122  # bytes of MIDDLE with an empty outcome
LABEL = r"""CASE WHEN strpos(target_label, '"') = 0 AND strpos(target_label, '\') = 0 THEN '"' || target_label || '"'
      ELSE to_json(target_label)::text END"""
TARGETS = f"""textsend(',"request_id":"' || request_id || '","targets":[' || CASE WHEN target_id IS NULL AND target_type = ''
      AND target_label = '' THEN ']' ELSE '{{"id":"' || target_id || '","label":' || {LABEL} || ',"type":"' || target_type || '"}}' END)"""
END = """textsend(',"time":"' || to_char(time, 'YYYY-MM-DD"T"HH24:MI:SS.US') || 'Z","v":1}')"""
DISPLAYED = f"""
    position({BEGIN} IN body) = 1 AND place > 0 AND position({TARGETS} IN substr(body, place + {SHORTEST})) > 0
    AND substr(body, octet_length(body) - 43) = {END} AND time > '0001-01-02Z'
    AND strpos(action || actor_type || outcome || target_type, '"') = 0"""
# An entry whose body was pruned displays nothing but when it was.
BLANK = """(action = '' AND actor_type = '' AND actor_id IS NULL AND target_type = '' AND target_id IS NULL
    AND target_label = '' AND outcome = '' AND request_id = '')"""
SPANS = f"""
    SELECT low, count, places, leaves, chain, sealed, found, bodies, others
    FROM generate_series(%(start)s::bigint, %(end)s::bigint - 1, %(span)s::bigint) AS low
    CROSS JOIN LATERAL (
      SELECT count(*), count(DISTINCT seq) AS places, string_agg(leaf, '' ORDER BY seq) AS leaves,
             string_agg(chain, '' ORDER BY seq) AS chain, string_agg(uuid_send(entry_id), '' ORDER BY seq) AS sealed,
             array_agg(entry_id) AS ids
      FROM audit_seal WHERE tenant_id = %(tenant)s AND seq >= low AND seq < least(low + %(span)s, %(end)s)) AS seals
    CROSS JOIN LATERAL (
      SELECT string_agg(uuid_send(id), '') AS found, string_agg(body, '\\x0a') AS bodies,
             array_agg(id) FILTER (WHERE (CASE WHEN octet_length(body) = 0 THEN {BLANK} ELSE {DISPLAYED} END) IS NOT TRUE) AS others
      FROM (
        SELECT *, position({MIDDLE} IN body) AS place FROM audit_entry
        WHERE tenant_id = %(tenant)s AND id = ANY(ids) ORDER BY id OFFSET 0) AS them) AS entries"""


@dataclass(frozen=True)
class Span:
    """The places [start, end): stored leaves and chain, ids as sealed, ids and bytes as found, and whose display differs.

    It is empty where a place is missing or there twice, and where PostgreSQL cannot read what stands there.
    """

    start: int
    end: int
    leaves: bytes = b""
    chain: bytes = b""
    sealed: bytes = b""
    found: bytes = b""
    bodies: bytes = b""
    others: Sequence[UUID] = ()

    def leaf(self, at: int) -> bytes:
        """The leaf that is stored."""
        return self.leaves[HASH * at : HASH * at + HASH]

    def in_order(self) -> list[bytes]:
        """The bytes of each place; none at all where an entry is missing or has a newline."""
        bodies = self.bodies.split(b"\n")
        if len(bodies) * ID != len(self.found):
            return []
        if self.found == self.sealed:
            return bodies
        by_id = dict(zip(_ids(self.found), bodies, strict=True))
        wanted = _ids(self.sealed)
        return [by_id[one] for one in wanted] if by_id.keys() >= set(wanted) else []


def _ids(joined: bytes) -> list[bytes]:
    return [joined[at : at + ID] for at in range(0, len(joined), ID)]


def spans(tenant: UUID, start: int, end: int) -> list[Span]:
    """The places [start, end) of the tenant in force."""
    asked = {"tenant": tenant, "log": str(tenant), "start": start, "end": end, "span": SPAN}
    try:
        with transaction.atomic(), connection.cursor() as bound:
            bound.execute(SETTINGS)
            rows = psycopg.Cursor(connection.connection).execute(SPANS, asked, binary=True).fetchall()
    except (DataError, psycopg.DataError):
        return [Span(low, min(low + SPAN, end)) for low in range(start, end, SPAN)]
    return [_span(min(low + SPAN, end), low, *row) for low, *row in sorted(rows, key=itemgetter(0))]


def _span(end: int, start: int, count: int, places: int, *parts: Any) -> Span:
    if not count == places == end - start:
        return Span(start, end)
    leaves, chain, sealed, found, bodies, others = parts
    return Span(start, end, leaves, chain, sealed, found or b"", bodies or b"", others or ())
