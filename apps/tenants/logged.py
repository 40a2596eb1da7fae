"""What reconciliation expects of a room's rows; each room declares it beside its acts, and `slots` hands it to the log."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID


@dataclass(frozen=True)
class Logged:
    """That each row of a model (`app.Model`) was recorded: an entry of one of these acts names a target of this kind.

    The target's id is what the row has in `column`, and each of the entry's `facts` is what the row has in its column.
    """

    key: str
    acts: tuple[str, ...]
    target: str
    column: str = "id"
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Attested:
    """That what stands beside a hash or an entry is what that says: `differing` finds the ids of what is not.

    It holds a batch at a time, and raises nothing for rows that cannot be read: those differ.
    """

    key: str
    differing: Callable[[], Iterator[UUID]]


class Seen(StrEnum):
    """How a column is compared with what entries say of it: as text, by its SHA-256, or whether it holds anything."""

    TEXT = "{column}::text"
    SHA256 = "encode(sha256(convert_to({column}, 'UTF8')), 'hex')"
    IS_SET = "({column} IS NOT NULL)::text"


@dataclass(frozen=True)
class Fact:
    """What an entry's fact of this name says; an entry without one says nothing."""

    name: str


@dataclass(frozen=True)
class Has:
    """Whether an entry's fact of this name holds anything."""

    name: str


@dataclass(frozen=True)
class Settled:
    """That a row is now as the newest entry about it says: `says` tells for each act what it leaves behind.

    `key` is `app.Model` and what is compared. `column` holds it; without one the row's being there is compared with
    "true". An entry names the row by a target of this kind, whose id is in `id_column`; where a row is one of a pair, one
    of the `pair` of facts names the other half, which is in `pair_column`.
    """

    key: str
    target: str
    says: Mapping[str, str | Fact | Has]
    column: str = ""
    seen: Seen = Seen.TEXT
    id_column: str = "id"
    pair: tuple[str, ...] = ()
    pair_column: str = ""
