"""What is held of a log outside the database, by whom, and since when it is not the newest there is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.utils.timesince import timesince
from django.utils.translation import gettext as _

from apps.tenants import clock
from apps.tenants.context import as_system
from apps.tenants.models import PLATFORM_TENANT_ID
from apps.tenants.slots import Anchored, slots

from . import keys
from .checkpoints import newest_checkpoint
from .models import Checkpoint, Log

# A head is anchored within a minute or two; so long a place may be away without a word of it.
MOST_BEHIND = timedelta(minutes=10)


@dataclass(frozen=True)
class Holder:
    """A place of anchors, by what may be told of it to anybody: its kind, and its number in the configuration.

    `at` is when the newest head that it holds was signed, None where it holds none of ours. `behind` is for how long
    there has been a newer one; nothing where nothing was signed since, however old `at` is.
    """

    kind: str
    number: int
    held: Anchored | None
    answers: bool
    at: datetime | None
    behind: timedelta

    @property
    def late(self) -> bool:
        """Whether it has been behind for so long that something must be wrong with it."""
        return self.behind > MOST_BEHIND

    @property
    def lacks_since(self) -> datetime:
        """Since when there has been a newer head than it holds."""
        return clock.now() - self.behind

    @property
    def name(self) -> str:
        """Its kind and number, in the reader's words."""
        words = {"folder": _("folder %(n)s"), "bucket": _("bucket %(n)s")}
        return words.get(self.kind, self.kind) % {"n": self.number}


@dataclass(frozen=True)
class HeldHead:
    """A signed head over the first `size` entries of a tenant's log, of which somebody outside holds a copy.

    `holder` is the place; None where it went out by mail or webhook, as `kind` says. `at` is None where a place has none.
    """

    kind: str
    size: int
    at: datetime | None
    holder: Holder | None = None

    @property
    def name(self) -> str:
        """Who holds it, in the reader's words."""
        words = {"mail": _("mail to owners"), "webhook": _("webhook")}
        return self.holder.name if self.holder else words.get(self.kind, self.kind)


def holders() -> list[Holder]:
    """Every place of the configuration and how far behind it is, as of half a minute ago."""
    found = []
    for place in slots.anchor_places():
        with as_system(PLATFORM_TENANT_ID):
            at, behind = _signed_at(place.held), _behind(place.held)
        found.append(Holder(place.kind, place.number, place.held, place.answers, at, behind))
    return found


def complaint() -> str:
    """What is wrong with the places of anchors, for people; empty where each holds the newest head, or had no time to."""
    for place in holders():
        if place.late:
            return _("The %(place)s outside the database has lacked newer signed heads for %(time)s.") % {
                "place": place.name,
                "time": timesince(place.lacks_since),
            }
    return ""


def held_outside(tenant: UUID) -> list[HeldHead]:
    """What is held of this tenant's log: by each place, then by mail and webhook."""
    places = [_covered(tenant, holder) for holder in holders()]
    with as_system(tenant):
        return places + [HeldHead(kind, size, at) for kind, size, at in slots.told_heads()]


def _covered(tenant: UUID, holder: Holder) -> HeldHead:
    """A head of the instance log covers every checkpoint of a tenant that is a leaf before its size."""
    size = holder.held.size if holder.held else 0
    with as_system(tenant):
        mine = Checkpoint.objects.filter(log=Log.ENTRIES, place__lt=size).order_by("-place").first()
    if mine is None:
        return HeldHead(holder.kind, 0, None, holder)
    return HeldHead(holder.kind, mine.size, holder.at, holder)


def _signed_at(held: Anchored | None) -> datetime | None:
    if held is None:
        return None
    head = Checkpoint.objects.filter(log=Log.INSTANCE, size=held.size, root=held.root).first()
    return head.made_at if head else None


def _behind(held: Anchored | None) -> timedelta:
    """How old the oldest head is that a place should hold and does not; a place that is ahead of us lacks none."""
    newest = newest_checkpoint(Log.INSTANCE)
    if newest is None:
        return timedelta()
    number = keys.incarnation_of(newest.origin)
    if held is not None and held.incarnation > number:
        return timedelta()
    lacking = Checkpoint.objects.filter(log=Log.INSTANCE, origin=newest.origin).order_by("size")
    if held is not None and held.incarnation == number:
        lacking = lacking.filter(size__gt=held.size)
    oldest = lacking.first()
    return clock.now() - oldest.made_at if oldest else timedelta()
