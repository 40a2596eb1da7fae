"""Who may decide in a member's place, and when: dated, between two people, on no case that the stand-in has a part in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

LONGEST = timedelta(days=366)
FARTHEST = timedelta(days=366)


@dataclass(frozen=True)
class Fault:
    """Why not, and the field that it is about."""

    field: str
    text: str


@dataclass(frozen=True)
class Seat:
    """One voice in a step, seen by somebody else: whose it is, who has one of their own there, who sent the case, and
    who has said what in the case's round, as (person, in whose place or None)."""

    of: UUID
    requester: UUID | None
    seated: frozenset[UUID]
    said: frozenset[tuple[UUID, UUID | None]]


def days_between(first: date, last: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """From the first midnight of the first day until before the midnight after the last, in the zone."""
    return datetime.combine(first, time(), zone), datetime.combine(last + timedelta(days=1), time(), zone)


def period_fault(starts_at: datetime, ends_at: datetime, now: datetime) -> Fault | None:
    """What is wrong with a period: it is not over, not empty, not endless and not far off."""
    if ends_at <= now:
        return Fault("ends_at", _("This is over already."))
    if ends_at <= starts_at:
        return Fault("ends_at", _("The end must lie after the beginning."))
    if starts_at - now > FARTHEST:
        return Fault("starts_at", _("This is more than a year ahead."))
    if ends_at - starts_at > LONGEST:
        return Fault("ends_at", _("A stand-in is named for a year at most."))
    return None


def overlap(one: tuple[datetime, datetime], other: tuple[datetime, datetime]) -> bool:
    """Whether two half-open intervals share a moment; one that begins where the other ends does not."""
    return one[0] < other[1] and other[0] < one[1]


def may_take(seat: Seat, stand_in: UUID) -> bool:
    """Whether a stand-in may use this voice: one person never speaks twice in a case, nor on their own.

    They and whom they stand in for sent it not; they have no voice of their own in the step, which they must use; and all
    that they have said in the round was said for the same person.
    """
    if seat.of == stand_in or seat.requester in {stand_in, seat.of} or stand_in in seat.seated:
        return False
    return all(behalf == seat.of for person, behalf in seat.said if person == stand_in)
