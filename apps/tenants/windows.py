"""Pages of a long list by its order, not by number: as fast on the last page as on the first."""

from __future__ import annotations

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


def window(rows: QuerySet[ModelT], query: QueryDict, *, by: str, size: int) -> Window[ModelT]:
    """The rows that `?before=` or `?after=` asks for, ordered by the moment in `by`; a position that cannot be read is none."""
    before, after = _position(query.get("before", "")), _position(query.get("after", ""))
    if after is not None:
        found = list(rows.filter(_beyond(by, "gt", after)).order_by(by, "id")[: size + 1])
        has_newer, has_older = len(found) > size, True
        shown = found[:size][::-1]
    else:
        older = rows.filter(_beyond(by, "lt", before)) if before else rows
        found = list(older.order_by(f"-{by}", "-id")[: size + 1])
        has_newer, has_older = before is not None, len(found) > size
        shown = found[:size]
    return Window(
        shown,
        newer=_link(query, "after", shown[0], by) if shown and has_newer else "",
        older=_link(query, "before", shown[-1], by) if shown and has_older else "",
    )


def _beyond(by: str, side: str, position: tuple[datetime, UUID]) -> Q:
    moment, identity = position
    return Q(**{f"{by}__{side}": moment}) | Q(**{by: moment, f"id__{side}": identity})


def _position(text: str) -> tuple[datetime, UUID] | None:
    moment, _underscore, identity = text.partition("_")
    try:
        found = datetime.fromisoformat(moment), UUID(identity)
    except ValueError:
        return None
    return found if found[0].tzinfo else None


def _link(query: QueryDict, side: str, row: Any, by: str) -> str:
    kept = query.copy()
    for name in ("before", "after"):
        kept.pop(name, None)
    kept[side] = f"{getattr(row, by).isoformat()}_{row.pk}"
    return kept.urlencode()
