"""Reading the log is an act too: one entry for each look, however many rows and pages it shows."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db import transaction

from apps.tenants import clock
from apps.tenants.context import current

from . import canonical
from .actions import record
from .models import Entry

SAME_LOOK = timedelta(minutes=1)
POSITION = frozenset({"before", "after", "cursor", "page_size", "p", "o"})  # the last two are the admin's
TYPED = frozenset({"text", "q", "of_tenant"})


def viewed(query: Mapping[str, Any], *, door: str) -> None:
    """Record that whoever acts reads the entries that these filters name; the same look within a minute is one entry.

    Of two looks at the very same moment both may be recorded.
    """
    asked = {
        key: str(query[key])[:100] for key in sorted(query) if query[key] and key.isascii() and key not in POSITION
    }
    look = hashlib.sha256(canonical.encode({"door": door, "filters": asked})).hexdigest()[:16]
    if _was_recorded(look):
        return
    with transaction.atomic():
        record("audit.viewed", facts={"look": look, "filters": as_told(asked), "door": door})


def as_told(filters: Mapping[str, str]) -> dict[str, str | bool]:
    """Filters as the log keeps them for ever: by id and date; what was typed, such as somebody's name, only as `true`."""
    return {key: True if key in TYPED else value for key, value in filters.items()}


def _was_recorded(look: str) -> bool:
    acting = current()
    rows = Entry.objects.filter(action="audit.viewed", actor_id=acting.member or acting.user)
    return any(_is(entry, look) for entry in rows.since(clock.now() - SAME_LOOK))


def _is(entry: Entry, look: str) -> bool:
    try:
        said = entry.document
    except canonical.NotCanonical:
        return False
    by = str(current().impersonator) if current().impersonator else None
    return said["facts"].get("look") == look and (said.get("impersonator") or {}).get("id") == by
