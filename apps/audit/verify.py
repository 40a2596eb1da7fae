"""Walk a whole log and compare: bytes, leaves, chain, numbering, and what the pages display."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.cache import cache
from redis.exceptions import RedisError

from apps.tenants import clock
from apps.tenants.context import as_system, current_tenant
from apps.tenants.models import Tenant
from apps.tenants.security_events import Kind, security_event_now_and_then

from . import canonical
from .chain import START, Broken, Link, walk
from .models import Entry, Seal
from .sealer import seal

BATCH = 2000
RECENT_SECONDS = 60
LARGEST_INLINE = 50_000


@dataclass(frozen=True)
class Verification:
    """What a walk over one tenant's log found; `head` is hex, `first_bad` a seq."""

    tenant: str
    whole: bool
    sealed: int
    unsealed: int
    head: str
    first_bad: int | None
    reason: str
    at: datetime

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"at": canonical.timestamp(self.at)}


def verify() -> Verification:
    """Verify the log of the tenant in force, from its first entry to its last seal."""
    head, expected, broken = START, 0, None
    try:
        for rows in _batches():
            for row in rows:
                _compare(row)
            head, expected = walk((_link(row) for row in rows), head, expected)
    except Broken as fault:
        broken = fault
        about = f"{current_tenant()}:{fault.seq}"
        security_event_now_and_then(Kind.CHAIN_BROKEN, about=about, log=str(current_tenant()), first_bad=fault.seq)
    unsealed = Entry.objects.exclude(pk__in=Seal.objects.values("entry_id")).count()
    return Verification(
        tenant=str(current_tenant()),
        whole=broken is None,
        sealed=expected,
        unsealed=unsealed,
        head=head.hex(),
        first_bad=broken.seq if broken else None,
        reason=broken.reason if broken else "",
        at=clock.now(),
    )


def recent_verification() -> Verification | None:
    """A real verification at most a minute old; None for a log too long to walk while somebody waits.

    When the cache is away the log is walked anew.
    """
    try:
        if isinstance(found := cache.get("audit.verification"), Verification):
            return found
    except RedisError:
        pass
    seal(current_tenant())
    if Seal.objects.count() > LARGEST_INLINE:
        return None
    made = verify()
    remember(made)
    return made


def remember(made: Verification) -> None:
    """Keep a verification for the pages of the next minute; the cache may be away."""
    with contextlib.suppress(RedisError):
        cache.set("audit.verification", made, RECENT_SECONDS)


def seal_and_verify() -> Verification:
    """Seal what waits, walk the whole log of the tenant in force, and let the pages know."""
    seal(current_tenant())
    made = verify()
    remember(made)
    return made


def verify_everywhere() -> list[tuple[str, Verification]]:
    """Every tenant's log by the tenant's address; asked by a Super Admin, who reads the list of tenants."""
    found = []
    for tenant in Tenant.objects.order_by("slug"):
        with as_system(tenant.pk):
            found.append((tenant.slug, seal_and_verify()))
    return found


def _batches() -> Iterator[list[Seal]]:
    after = -1
    while rows := list(Seal.objects.select_related("entry").filter(seq__gt=after).order_by("seq")[:BATCH]):
        yield rows
        after = rows[-1].seq


def _link(row: Seal) -> Link:
    return Link(row.seq, bytes(row.leaf), bytes(row.chain), bytes(row.entry.body))


def _compare(row: Seal) -> None:
    """What the pages display must be what the bytes say. The bytes themselves are judged by the chain."""
    entry = row.entry
    try:
        document = canonical.decode(bytes(entry.body))
    except canonical.NotCanonical as fault:
        raise Broken(row.seq, str(fault)) from None
    try:
        is_shown = shown(entry) == written(document)
    except (KeyError, TypeError, AttributeError):
        raise Broken(row.seq, "its bytes are no entry") from None
    if not is_shown:
        raise Broken(row.seq, "what the pages display is not what was written")


def shown(entry: Entry) -> tuple[Any, ...]:
    """The columns that pages and filters use, as the bytes would name them."""
    return (
        str(entry.tenant_id),
        str(entry.pk),
        canonical.timestamp(entry.time),
        entry.action,
        entry.actor_type,
        str(entry.actor_id) if entry.actor_id else None,
        (entry.target_type, _text(entry.target_id), entry.target_label),
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


def _text(identity: UUID | None) -> str | None:
    return str(identity) if identity else None
