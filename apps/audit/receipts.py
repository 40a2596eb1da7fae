"""Receipts: what a person holds in their own hands, so that an entry which is not sealed yet cannot vanish unseen."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID

from apps.tenants.context import current, current_tenant

from . import canonical, keys, note, tree
from .incarnations import incarnation
from .models import Entry, Receipt
from .statements import Receipt as Statement

REMEMBER_SECONDS = 5.0
_known: tuple[float, int] = (-REMEMBER_SECONDS, 1)


def signed(entry: Entry) -> Receipt:
    """The receipt, not yet stored, that says that this entry is committed with the transaction in force."""
    origin = keys.origin_of(current_tenant(), _incarnation())
    said = Statement(origin, entry.pk, tree.leaf_hash(bytes(entry.body)), canonical.timestamp(entry.time))
    return Receipt(entry=entry, note=note.sign(said.text(), keys.signers(origin)))


def visible() -> Any:
    """Receipts of my own acts; all of the tenant's to those who may read the log."""
    rows = Receipt.objects.select_related("entry")
    return rows if current().allows("audit.read") else rows.filter(entry__actor_id=current().member)


def newest_of_mine(target: UUID, *actions: str) -> Receipt | None:
    """The receipt of my latest act of these kinds on a thing."""
    mine = Receipt.objects.select_related("entry").filter(entry__actor_id=current().member)
    return mine.filter(entry__target_id=target, entry__action__in=actions).order_by("-entry__time").first()


def of_act(target: UUID, action: str) -> Receipt | None:
    """The receipt of the first such act on a thing, whoever did it: for who has shown that it is theirs."""
    rows = Receipt.objects.filter(entry__target_id=target, entry__action=action)
    return rows.order_by("entry__time").first()


def _incarnation() -> int:
    """As of a few seconds ago: it changes once after a restore, and a receipt must not cost a query for it."""
    global _known
    if time.monotonic() - _known[0] >= REMEMBER_SECONDS:
        _known = (time.monotonic(), incarnation())
    return _known[1]
