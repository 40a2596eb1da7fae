"""Querysets whose SQL Django writes once a process: writing the same query anew took longer than answering it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from django.db import models
from django.db.models.expressions import RawSQL

from .context import TenantContext, current_tenant, tenant_context


@dataclass(frozen=True)
class _Place:
    name: str


class WrittenOnce:
    """A queryset as text with places for its values: the rule stays where the queryset is built, in one place.

    `build` is called once, with a mark under each name, and must put the marks themselves into its filters; the tenant
    of the managers is a place as well. Which values are put in may not change the query's shape.
    """

    def __init__(self, build: Callable[..., models.QuerySet[Any, Any]], **marks: Any) -> None:
        self._build, self._marks = build, marks
        self._text: tuple[str, list[Any]] | None = None

    def sql(self, **values: Any) -> tuple[str, list[Any]]:
        """The text and its parameters for these values in the tenant in force. Raises MissingContext without one."""
        text, places = self._text or self._write()
        values["tenant"] = current_tenant()
        return text, [values[place.name] if isinstance(place, _Place) else place for place in places]

    def ids(self, **values: Any) -> RawSQL:
        """The queryset's one column of ids as an array, for `IsAnyOf`."""
        text, params = self.sql(**values)
        return RawSQL(f"ARRAY({text})", params)  # noqa: S611  Django wrote the text; values are parameters

    def _write(self) -> tuple[str, list[Any]]:
        tenant = uuid4()
        names = {mark: name for name, mark in self._marks.items()} | {tenant: "tenant"}
        with tenant_context(TenantContext(tenant=tenant)):
            text, params = self._build(**self._marks).query.sql_with_params()
        places = [_Place(names[param]) if param in names else param for param in params]
        if missing := set(names.values()) - {place.name for place in places if isinstance(place, _Place)}:
            raise TypeError(f"The queryset does not filter by {sorted(missing)} as it was given.")
        self._text = text, places
        return self._text
