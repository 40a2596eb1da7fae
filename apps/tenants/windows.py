"""Pages of a long list by its order, not by number: as fast on the last page as on the first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.db.models import Model, Q, QuerySet
from django.http import QueryDict

ModelT = TypeVar("ModelT", bound=Model)


@dataclass(frozen=True)
class Window(Generic[ModelT]):
    """Some rows, newest first; `newer` and `older` are the query strings of the neighbours, empty where there is none."""

    rows: list[ModelT]
    newer: str = ""
    older: str = ""


def window(
    rows: QuerySet[ModelT], query: Mapping[str, str], *, by: str, size: int, identity: str = "id"
) -> Window[ModelT]:
    """The rows that `?before=` or `?after=` asks for, ordered by the moment in `by`; a position that cannot be read is none.

    `identity` names the column that tells rows of one moment apart.
    """
    before, after = _position(query.get("before", "")), _position(query.get("after", ""))
    if after is not None:
        found = list(rows.filter(_beyond(by, identity, "gt", after)).order_by(by, identity)[: size + 1])
        has_newer, has_older = len(found) > size, True
        shown = found[:size][::-1]
    else:
        older = rows.filter(_beyond(by, identity, "lt", before)) if before else rows
        found = list(older.order_by(f"-{by}", f"-{identity}")[: size + 1])
        has_newer, has_older = before is not None, len(found) > size
        shown = found[:size]
    return Window(
        shown,
        newer=_link(query, "after", shown[0], by, identity) if shown and has_newer else "",
        older=_link(query, "before", shown[-1], by, identity) if shown and has_older else "",
    )


def batches(rows: QuerySet[ModelT], size: int, by: str = "pk") -> Iterator[list[ModelT]]:
    """All rows in the order of a column that never falls, so many at a time; a cursor of ours would hold them all."""
    found = list(rows.order_by(by, "pk")[:size])
    while found:
        yield found
        position = getattr(found[-1], by), found[-1].pk
        found = list(rows.filter(_beyond(by, "pk", "gt", position)).order_by(by, "pk")[:size])


def _beyond(moment: str, identity: str, side: str, position: tuple[Any, Any]) -> Q:
    """Past the position; its first part is a range, which an index can begin at, as it cannot at an OR."""
    time, row = position
    return Q(**{f"{moment}__{side}e": time}) & (Q(**{f"{moment}__{side}": time}) | Q(**{f"{identity}__{side}": row}))


def _position(text: str) -> tuple[datetime, UUID] | None:
    moment, _underscore, identity = text.partition("_")
    try:
        found = datetime.fromisoformat(moment), UUID(identity)
    except ValueError:
        return None
    return found if found[0].tzinfo else None


def _link(query: Mapping[str, str], side: str, row: Any, by: str, identity: str) -> str:
    kept = QueryDict(mutable=True)
    kept.update({name: value for name, value in query.items() if name not in {"before", "after"}})
    kept[side] = f"{getattr(row, by).isoformat()}_{getattr(row, identity)}"
    return kept.urlencode()
