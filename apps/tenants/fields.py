"""Fields that the database's own types do not give us."""

from __future__ import annotations

import json
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db import models
from django.db.models.expressions import RawSQL


class IsAnyOf(models.Func):
    """`column = ANY (ARRAY(SELECT …))`: the ids of a sub-select as one value, so that an index can be asked for them even
    beside an OR, where a plain `IN (SELECT …)` would read the whole table."""

    template = "(%(expressions)s))"
    arg_joiner = " = ANY ("

    def __init__(self, column: str, ids: Any) -> None:
        """`ids` is a queryset of one column, or SQL that answers an array."""
        array = ids if isinstance(ids, RawSQL) else ArraySubquery(ids)
        super().__init__(models.F(column), array, output_field=models.BooleanField())


class OrderedJSON(models.TextField):  # type: ignore[type-arg]
    """JSON kept as text: jsonb sorts keys, and the order of a form's questions is its author's."""

    _pyi_private_set_type: Any  # what django-stubs lets a field of this class take and give
    _pyi_private_get_type: Any

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Any:
        return None if value is None else json.loads(value)

    def to_python(self, value: Any) -> Any:
        return json.loads(value) if isinstance(value, str) else value

    def get_prep_value(self, value: Any) -> str | None:
        return None if value is None else json.dumps(value, ensure_ascii=False)

    def value_to_string(self, obj: models.Model) -> str:
        return str(self.get_prep_value(self.value_from_object(obj)))
