"""Whether the counters are what they count: compared with the rows themselves, without believing the triggers."""

from __future__ import annotations

import structlog

from apps.tenants.slots import slots

from .models import Counter

log = structlog.get_logger(__name__)
LOOKS = 3
Place = tuple[str, str]


def differences() -> dict[Place, tuple[int, int]]:
    """(resource, period) -> (counted now, as the counter says), for the tenant in force, where they differ; logged each.

    What is written while we look moves both, one after the other: only what differs by the same at each look counts.
    """
    found = _look()
    for _look_again in range(LOOKS - 1):
        if not found:
            break
        again = _look()
        found = {place: pair for place, pair in again.items() if place in found and _gap(found[place]) == _gap(pair)}
    for (resource, period), (counted, used) in found.items():
        log.error("quota_differs", resource=resource, period=period, counted=counted, counter=used)
    return found


def _gap(pair: tuple[int, int]) -> int:
    return pair[0] - pair[1]


def _look() -> dict[Place, tuple[int, int]]:
    counted: dict[Place, int] = {}
    for tally in slots.tallies:
        for period, amount in tally.count().items():
            counted[tally.resource, period] = counted.get((tally.resource, period), 0) + amount
    used = {(row.resource, row.period): row.used for row in Counter.objects.all()}
    places = set(counted) | set(used)
    pairs = {place: (counted.get(place, 0), used.get(place, 0)) for place in places}
    return {place: pair for place, pair in pairs.items() if _gap(pair)}
