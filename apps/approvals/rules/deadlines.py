"""Business days: Monday to Friday in the tenant's zone. Due is the end of a working day, 17:00 local time."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

CLOSE_OF_BUSINESS = time(17)
SATURDAY = 5


def business_time(start: datetime, end: datetime, zone: ZoneInfo) -> timedelta:
    """How much of the time between two moments lies on business days; a weekend stops the clock, a night does not."""
    here, stop, total = start.astimezone(zone), end.astimezone(zone), timedelta()
    while here < stop:
        midnight = datetime.combine(here.date() + timedelta(days=1), time(), zone)
        until = min(midnight, stop)
        if here.weekday() < SATURDAY:
            total += until.astimezone(UTC) - here.astimezone(UTC)
        here = until
    return total


def due_after(start: datetime, business_days: int, zone: ZoneInfo) -> datetime:
    """17:00 on the n-th business day after the day of `start`, in UTC; the day of the start itself never counts."""
    day = start.astimezone(zone).date()
    left = business_days
    while left:
        day += timedelta(days=1)
        if day.weekday() < SATURDAY:
            left -= 1
    return datetime.combine(day, CLOSE_OF_BUSINESS, zone).astimezone(UTC)
