"""Can each sealed entry be found by its words? They prove nothing, and without them a search or its export leaves it out."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from django.db import connection

from apps.tenants.context import current_tenant
from apps.tenants.windows import batches

from .models import Entry
from .sealer import lines
from .words import ways_of, words_of

BATCH = 2000
# LATERAL with a LIMIT is a look into the index for each, whatever the planner thinks of the table.
ABSENT = """
    SELECT DISTINCT asked.entry FROM unnest(string_to_array(%(words)s, E'\\n'),
      string_to_array(%(times)s, E'\\n')::timestamptz[], string_to_array(%(entries)s, E'\\n')::uuid[]) AS asked(word, time, entry)
    LEFT JOIN LATERAL (
      SELECT true AS found FROM audit_word w
      WHERE w.tenant_id = %(tenant)s AND w.word = asked.word AND w.time = asked.time AND w.entry_id = asked.entry LIMIT 1
    ) AS kept ON true
    WHERE kept.found IS NULL ORDER BY asked.entry"""


def unfindable() -> Iterator[UUID]:
    """The ids of entries of which a word is missing; of what retention took none is expected."""
    rows = Entry.objects.kept().filter(seals__isnull=False).only("time", "target_label", "body")
    for batch in batches(rows, BATCH):
        if missing := _without_a_word(batch):
            still = Entry.objects.kept().filter(pk__in=missing)  # retention may have come in between
            yield from still.order_by("pk").values_list("pk", flat=True)


def _words(entry: Entry) -> list[str]:
    return [*words_of(entry.target_label), *ways_of(bytes(entry.body))]


def _without_a_word(batch: list[Entry]) -> list[UUID]:
    asked = [(word, entry.time, entry.pk) for entry in batch for word in _words(entry)]
    if not asked:
        return []
    words, times, entries = (lines(column) for column in zip(*asked, strict=True))
    with connection.cursor() as cursor:
        cursor.execute(ABSENT, {"tenant": current_tenant(), "words": words, "times": times, "entries": entries})
        return [row[0] for row in cursor.fetchall()]
