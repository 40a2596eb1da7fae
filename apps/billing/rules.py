"""Plans, resources and periods: pure data and decisions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class Resource(Enum):
    """What is limited. The value is its name in the database and in problem details."""

    MEMBERS = "members"
    FORMS = "forms"
    SUBMISSIONS = "submissions"
    STORAGE = "storage"


@dataclass(frozen=True)
class Measure:
    """How a resource is named and counted; a monthly one starts at zero with each month (UTC)."""

    title: Promise
    is_monthly: bool = False
    in_bytes: bool = False


MEASURES: dict[Resource, Measure] = {
    Resource.MEMBERS: Measure(_("Members and open invitations")),
    Resource.FORMS: Measure(_("Forms")),
    Resource.SUBMISSIONS: Measure(_("Submissions this month"), is_monthly=True),
    Resource.STORAGE: Measure(_("Files"), in_bytes=True),
}


def period_of(resource: Resource, now: datetime) -> str:
    """`2026-11` for what is counted by the month, else empty."""
    return now.astimezone(UTC).strftime("%Y-%m") if MEASURES[resource].is_monthly else ""


def resets_at(resource: Resource, now: datetime) -> datetime | None:
    """When a monthly count starts again; None for what does not."""
    if not MEASURES[resource].is_monthly:
        return None
    first = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return (first + timedelta(days=32)).replace(day=1)


def is_over(trial_ends_at: datetime | None, now: datetime) -> bool:
    """Whether a trial has ended: derived from its end, no job flips it."""
    return trial_ends_at is not None and now >= trial_ends_at
