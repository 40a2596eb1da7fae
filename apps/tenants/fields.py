"""Fields that the database's own types do not give us."""

from __future__ import annotations

import json
from typing import Any

from django.db import models


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
