"""Verify a whole log: what was sealed, what was signed, what waits; and name the first fault and its kind."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.core.cache import cache
from redis.exceptions import RedisError

from apps.tenants import clock
from apps.tenants.context import current_tenant
from apps.tenants.security_events import Kind as Event
from apps.tenants.security_events import security_event

from . import canonical, evidence, storage, tree
from .chain import START
from .models import Seal, Verified, Waiting
from .pruning import recorded
from .sealer import seal
from .walk import Damage, Kind, Walked, refuse_hidden_places, walk_log

RECENT_SECONDS = 60
LARGEST_INLINE = 50_000  # entries; a quarter to half a second
LARGEST = 2**63 - 1  # that can be kept, whatever place somebody puts a seal at
TILE = storage.TILE
Walker = Callable[[int, int, bytes, list[int], int], Iterator[Walked]]


@dataclass(frozen=True)
class Verification:
    """What a walk over one tenant's log found; `head` is hex, `first_bad` a seq, `kind` names the damage.

    `signed` is the size of the newest checkpoint, `since` the seq at which the walk began, `until` where it ended;
    `pruned` counts places whose body is gone by retention, as an act in the log says.
    """

    tenant: str
    whole: bool
    sealed: int
    unsealed: int
    head: str
    first_bad: int | None
    reason: str
    at: datetime
    kind: str = ""
    signed: int = 0
    since: int = 0
    until: int = 0
    pruned: int = 0

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"at": canonical.timestamp(self.at)}


def verify(*, incremental: bool = False, most: int | None = None, walker: Walker | None = None) -> Verification:
    """Verify the log of the tenant in force, from its first entry to its last seal, and what was signed over it.

    An `incremental` one goes on where the last one that was kept ended, for at most so many entries; it takes the
    entries before on trust, and everything after them not.
    """
    size = min(evidence.sealed_size(), LARGEST)
    growing, head = _start(incremental, size)
    since = growing.state.size
    until = min(size, since + most) if most is not None else size
    damage, pruned = None, 0
    try:
        refuse_hidden_places()
        evidence.refuse_a_cut_tail(size)
        head, pruned = _walk(growing, head, until, walker or in_this_process)
        evidence.check_signed(since, until)
        if not incremental:
            evidence.check_what_is_around()
    except Damage as fault:
        damage = fault
    return Verification(
        tenant=str(current_tenant()),
        whole=damage is None,
        sealed=size,
        unsealed=Waiting.objects.count(),
        head=head.hex(),
        first_bad=damage.seq if damage else None,
        reason=damage.reason if damage else "",
        at=clock.now(),
        kind=damage.kind.value if damage else "",
        signed=evidence.signed_size(),
        since=since,
        until=until,
        pruned=pruned,
    )


def in_this_process(start: int, end: int, before: bytes, sizes: list[int], pruned: int = 0) -> Iterator[Walked]:
    """One after the other."""
    yield walk_log(current_tenant(), start, end, before, sizes, pruned)


def _start(incremental: bool, size: int) -> tuple[storage.Growing, bytes]:
    """Where the walk begins: after what was kept as whole, where its chain and tree are still there; else at zero."""
    last = Verified.objects.first() if incremental else None
    if last is not None and last.whole and 0 < last.size <= size:
        place = Seal.objects.filter(seq=last.size - 1).first()
        with contextlib.suppress(storage.MissingHash):
            growing = storage.ENTRIES.growing(last.size)
            if place and bytes(place.chain) == bytes(last.chain) and b"".join(growing.state.peaks) == bytes(last.peaks):
                return growing, bytes(last.chain)
    return storage.Growing(tree.CompactRange(), {}), START


def _walk(growing: storage.Growing, head: bytes, until: int, walker: Walker) -> tuple[bytes, int]:
    """Walk on; compare the roots that were signed on the way, and the stored nodes.

    Returns the chain's end, and how many places lack their body by a recorded pruning.

    Raises Damage.
    """
    asked = deque(evidence.heads_between(growing.state.size, until))
    covered, pruned = recorded().until, 0
    for part in walker(growing.state.size, until, head, sorted({size for size, _root in asked}), covered):
        if part.before != head:
            raise Damage(Kind.CHAIN_CHANGED, part.start, "the chain does not follow from the place before")
        for tile in part.tiles:
            _compare(growing.state, part.peaks, asked, growing.state.size + TILE - 1)
            growing.append_tile(tile)
            _compare(growing.state, {growing.state.size: []}, asked, growing.state.size)
        _compare(growing.state, part.peaks, asked, part.end)
        head, pruned = part.head, pruned + part.pruned
    evidence.compare_nodes(growing.made)
    return head, pruned


def _compare(
    state: tree.CompactRange, peaks: dict[int, list[bytes]], asked: deque[tuple[int, bytes]], upto: int
) -> None:
    """The roots that were signed up to this size must be those over the tiles before and the peaks since them."""
    while asked and asked[0][0] <= upto:
        size, root = asked.popleft()
        if tree.fold([*state.peaks, *peaks[size]]) != root:
            raise Damage(Kind.SIGNED_OTHERWISE, size - 1, f"another root was signed over the first {size} entries")


def keep(made: Verification) -> None:
    """Let the next incremental verification go on from here, and tell everybody who watches when it is broken."""
    evidence.keep(made)
    remember(made)
    if not made.whole:
        security_event(Event.CHAIN_BROKEN, tenant=made.tenant, first_bad=made.first_bad, damage=made.kind)


def remember(made: Verification) -> None:
    """Keep a verification for the pages of the next minute; the cache may be away."""
    with contextlib.suppress(RedisError):
        cache.set("audit.verification", made, RECENT_SECONDS)


def recent_verification() -> Verification:
    """A real verification at most a minute old: of the whole log, or of what has come since the last one of a long log.

    When the cache is away the log is walked anew.
    """
    try:
        if isinstance(found := cache.get("audit.verification"), Verification):
            return found
    except RedisError:
        pass
    seal(current_tenant())
    made = verify(incremental=True, most=LARGEST_INLINE) if is_long() else verify()
    remember(made)
    return made


def is_long() -> bool:
    """Whether the log of the tenant in force is too long to be walked whole while somebody waits."""
    return evidence.sealed_size() > LARGEST_INLINE
