"""Keep the signed head of the instance log outside the database, and notice when the database is older than that.

One anchor covers all tenants, since each checkpoint of a tenant is a leaf of the instance log. Beside each anchor lie
the checkpoints that came since the one before, so that after a restore it can be said what is lost, log by log.
Where they lie is in `places.py`.
"""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import structlog
from django.db.models import OuterRef, Subquery

from apps.audit import keys, note
from apps.audit.checkpoints import NotSigned, newest_checkpoint
from apps.audit.models import Checkpoint, InstanceLeaf, Log
from apps.audit.statements import BadStatement, Head
from apps.tenants.context import TenantContext, as_system, tenant_context
from apps.tenants.models import PLATFORM_TENANT_ID

from .places import Place, TooLarge, Unreachable, places

log = structlog.get_logger(__name__)
HEAD, LEAVES = ".checkpoint", ".leaves.jsonl"
REFRESH_SECONDS = 30.0
PUBLISH_SECONDS = 60.0
LARGEST_HEAD_BYTES = 64 * 1024
LARGEST_LEAVES_BYTES = 256 * 1024 * 1024
MOST_LEAVES = 2_000


@dataclass(frozen=True)
class Anchor:
    """A head of the instance log as a place keeps it."""

    incarnation: int
    size: int
    root: bytes
    where: str
    name: str


@dataclass
class Known:
    """What this process knows of one place: `held` is what it held when it last answered.

    `newest` is the newest that it ever held, and never goes back, whatever the place says later.
    """

    newest: Anchor | None = None
    held: Anchor | None = None
    reached: bool = False
    answers: bool = False
    asked: float = -math.inf
    asking: threading.Lock = field(default_factory=threading.Lock)


@dataclass(frozen=True)
class Standing:
    """What a place held when it last answered, for pages, probes and metrics, which never name its address."""

    kind: str
    number: int
    held: Anchor | None
    answers: bool


# By the place's label. An anchor is of the whole installation: sizes and hashes, and of no tenant.
_known: dict[str, Known] = {}


def newest(place: Place, known: Anchor | None = None) -> Anchor | None:
    """The newest anchor that a place holds and a key of ours has signed; others are passed over. Raises Unreachable.

    Names sort by age, so that only those from `known` on are asked for. Where even that one is gone, or none is known,
    the search goes back from where the database is, in growing steps: a place of years is not listed for its newest.
    """
    for start in _back_from(known):
        for name in reversed(place.names(start)):
            if name.endswith(HEAD) and (found := _read(place, name)) is not None:
                return found
    return None


def _back_from(known: Anchor | None) -> Iterator[str]:
    """Where to begin the search, again and again; each sorts before an anchor of that size and ahead of older ones."""
    if known is not None:
        yield _stem(known.incarnation, known.size)
    with as_system(PLATFORM_TENANT_ID):
        head = newest_checkpoint(Log.INSTANCE)
    if head is not None:
        number, step = keys.incarnation_of(head.origin), 1
        while step < head.size:
            yield _stem(number, head.size - step)
            step *= 8
    yield ""


def _stem(number: int, size: int) -> str:
    return f"{number:06d}-{size:012d}"


def _read(place: Place, name: str) -> Anchor | None:
    try:
        text = place.get(name, LARGEST_HEAD_BYTES).decode(errors="replace")
        head = Head.read(note.open_note(text, keys.verifiers(text.split("\n", 1)[0])))
    except (TooLarge, note.BadNote, BadStatement) as fault:
        log.warning("anchor_passed_over", where=place.where, name=name, why=str(fault))
        return None
    return Anchor(keys.incarnation_of(head.origin), head.size, head.root, place.where, name)


def anchored() -> list[Anchor]:
    """The newest anchor of each place, as of half a minute ago. Raises NotSigned while one was never reached."""
    found = []
    for place in places():
        known = _look(place)
        if not known.reached:
            raise NotSigned(f"The anchors of {place.label} cannot be read, so nothing is signed.")
        found += [known.newest] if known.newest else []
    return found


def standing() -> list[Standing]:
    """What each place of the configuration holds, as of half a minute ago, or of when somebody began to ask."""
    looked = [(place, _look(place, wait=False)) for place in places()]
    return [Standing(place.kind, place.number, known.held, known.answers) for place, known in looked]


def _look(place: Place, patience: float = REFRESH_SECONDS, wait: bool = True) -> Known:
    """What is known of a place, which is asked again where that is older than so many seconds; by one thread at a time.

    Whoever may sign waits for that one. Whoever only shows it does not: a place that hangs would hold up every page.
    """
    known = _known.setdefault(place.label, Known())
    if known.asking.acquire(blocking=wait):
        try:
            if time.monotonic() - known.asked >= patience:
                _ask(place, known)
        finally:
            known.asking.release()
    return known


def _ask(place: Place, known: Known) -> None:
    try:
        known.held = newest(place, known.held)
        known.reached = known.answers = True
    except Unreachable as fault:
        known.answers = False
        log.error("anchors_unreachable", where=place.where, why=str(fault))
    if known.held and (known.newest is None or _is_ahead(known.held, known.newest)):
        known.newest = known.held
    known.asked = time.monotonic()


def _is_ahead(one: Anchor, other: Anchor) -> bool:
    return (one.incarnation, one.size) > (other.incarnation, other.size)


def forget() -> None:
    """Ask every place anew the next time."""
    _known.clear()


def publish() -> list[str]:
    """Keep the newest head of the instance log in every place that has an older one; returns the places.

    A place that is ahead of us is left alone: the database is older than it says. Raises nothing for one that is away.
    """
    with as_system(PLATFORM_TENANT_ID):
        head = newest_checkpoint(Log.INSTANCE)
    return [place.where for place in places() if head is not None and _publish_to(place, head)]


def _publish_to(place: Place, head: Checkpoint) -> bool:
    known, number = _look(place, 0), keys.incarnation_of(head.origin)
    held = known.held
    if not known.answers or (held is not None and (held.incarnation, held.size) >= (number, head.size)):
        return False
    since = held.size if held is not None and held.incarnation == number else 0
    try:
        for low in range(since, head.size, MOST_LEAVES):
            until = min(low + MOST_LEAVES, head.size)
            place.put(_stem(number, until) + LEAVES, b"".join(_leaves(low, until)))
        place.put(_stem(number, head.size) + HEAD, head.note.encode())
    except Unreachable as fault:
        log.error("anchor_failed", where=place.where, why=str(fault))
        return False
    known.asked = -math.inf
    return True


def _leaves(since: int, until: int) -> Iterable[bytes]:
    """The checkpoints of tenants at the places [since, until) of the instance log, in one question."""
    with tenant_context(TenantContext(platform=True, credential="system")):
        mine = Checkpoint.objects.filter(tenant_id=OuterRef("about"), pk=OuterRef("checkpoint"))
        rows = InstanceLeaf.objects.filter(tenant_id=PLATFORM_TENANT_ID, seq__gte=since, seq__lt=until)
        found = list(rows.order_by("seq").annotate(text=Subquery(mine.values("note"))).values_list("seq", "text"))
    for seq, text in found:
        yield json.dumps({"place": seq, "checkpoint": text}, separators=(",", ":")).encode() + b"\n"


def lost(place: Place, since: int) -> dict[str, int]:
    """Of the checkpoints that a place holds beyond `since`: tenant -> the largest size that was signed."""
    found: dict[str, int] = {}
    for name in place.names():
        if not name.endswith(LEAVES) or int(name[7:19]) <= since:
            continue
        for line in place.get(name, LARGEST_LEAVES_BYTES).splitlines():
            said = json.loads(line)
            if said["place"] < since or not said["checkpoint"]:
                continue
            head = Head.read(note.split(said["checkpoint"])[0])
            tenant = head.origin.partition("/audit/")[2].partition("/")[0]
            found[tenant] = max(found.get(tenant, 0), head.size)
    return found


_published = -PUBLISH_SECONDS


def beat() -> None:
    """Publish once a minute."""
    global _published
    if time.monotonic() - _published >= PUBLISH_SECONDS:
        _published = time.monotonic()
        if written := publish():
            log.info("anchored", places=written)
