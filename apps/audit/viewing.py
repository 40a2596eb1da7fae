"""Reading the log is an act too: one entry for each look, however many rows and pages it shows.

By what an entry says of a look nobody can find out what was typed for it: its `look` is an HMAC under a key of the
installation, over whose look it is too, so that nobody tests a guess by typing it themselves.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection, Mapping
from datetime import timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.tenants import clock
from apps.tenants.context import current
from apps.tenants.derived import derived_key

from . import canonical
from .actions import record
from .filters import NAMES
from .models import Entry, Receipt

SAME_LOOK = timedelta(minutes=1)
POSITION = frozenset({"before", "after", "cursor", "page_size", "p", "o"})  # the last two are the admin's
TOLD = frozenset(NAMES) - {"text"} | {"entry"}  # ids, days and choices; what else is asked for may be somebody's name
PURPOSE = "looks at the log"


def viewed(query: Mapping[str, Any], *, door: str) -> None:
    """Record that whoever acts reads the entries that these filters name; the same look within a minute is one entry.

    Of two looks at the very same moment both may be recorded.
    """
    asked = {
        key: str(query[key])[:100] for key in sorted(query) if query[key] and key.isascii() and key not in POSITION
    }
    look = _look(asked, door)
    if _was_recorded(look):
        return
    with transaction.atomic():
        record("audit.viewed", facts={"look": look, "filters": as_told(asked), "door": door})


def viewed_receipts(pks: Collection[UUID], query: Mapping[str, Any]) -> None:
    """Record that whoever acts reads these receipts, unless all are of their own acts; to a visitor from support none is."""
    acting = current()
    if not pks or not acting.allows("audit.read"):  # others see their own alone
        return
    rows = Receipt.objects.filter(pk__in=pks)
    if acting.impersonator is None:
        rows = rows.exclude(entry__actor_id=acting.member)
    if rows.exists():
        viewed(query, door="receipts")


def as_told(filters: Mapping[str, str]) -> dict[str, str | bool]:
    """Filters as the log keeps them for ever: by id and date; what was typed, such as somebody's name, only as `true`."""
    return {key: value if key in TOLD else True for key, value in filters.items()}


def _look(asked: Mapping[str, str], door: str) -> str:
    acting = current()
    by = [str(one) for one in (acting.tenant, acting.member or acting.user, acting.impersonator)]
    said = canonical.encode({"by": by, "door": door, "filters": dict(asked)})
    return hmac.new(derived_key(PURPOSE), said, sha256).hexdigest()[:16]


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
