"""The one clock of the rooms. Only the demo moves it, to spread real acts over past weeks; a test holds that."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

_moved: ContextVar[datetime | None] = ContextVar("orkestra_clock", default=None)


def now() -> datetime:
    """The present moment, in UTC and aware."""
    return _moved.get() or datetime.now(UTC)


@contextmanager
def at(moment: datetime) -> Iterator[None]:
    """Let `now()` answer this moment inside the block."""
    token = _moved.set(moment.astimezone(UTC))
    try:
        yield
    finally:
        _moved.reset(token)
