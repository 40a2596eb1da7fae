"""Ids that sort by time (UUIDv7, RFC 9562) and are made here: `uuidv7()` in SQL exists only from PostgreSQL 18."""

from uuid import UUID

from uuid_utils import compat


def new_id() -> UUID:
    """A fresh UUIDv7."""
    return compat.uuid7()


def id_in(text: str | None) -> UUID:
    """The id that somebody sent; one that nothing has where it is none."""
    try:
        return UUID(text or "")
    except ValueError:
        return UUID(int=0)
