"""Business days: Monday to Friday in the tenant's zone. Due is the end of a working day, 17:00 local time."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

CLOSE_OF_BUSINESS = time(17)
SATURDAY = 5


def due_after(start: datetime, business_days: int, zone: ZoneInfo) -> datetime:
    """17:00 on the n-th business day after the day of `start`, in UTC; the day of the start itself never counts."""
    day = start.astimezone(zone).date()
    left = business_days
    while left:
        day += timedelta(days=1)
        if day.weekday() < SATURDAY:
            left -= 1
    return datetime.combine(day, CLOSE_OF_BUSINESS, zone).astimezone(UTC)
