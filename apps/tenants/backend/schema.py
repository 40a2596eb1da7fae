"""Keys that carry the tenant: PRIMARY KEY (tenant_id, id), foreign keys (tenant_id, x_id), indexes that start with it.

Django sees `id` as the primary key; the database has the composite one, so a reference across tenants cannot exist and
the schema can be spread by tenant_id.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.backends.ddl_references import Columns, Statement
from django.db.backends.postgresql.schema import DatabaseSchemaEditor


def is_walled(model: Any) -> bool:
    """Whether the model, of today or of a migration's past, has a tenant key."""
    return bool(getattr(model._meta.pk, "is_tenant_key", False))


def _begins_an_index(model: Any, field: Any) -> bool:
    """Whether an index or a unique constraint over all rows serves the reference too: one less for each row to be written in."""
    whole = [one for one in [*model._meta.indexes, *model._meta.constraints] if not getattr(one, "condition", None)]
    return any(tuple(getattr(one, "fields", ())[:2]) == ("tenant", field.name) for one in whole)


class SchemaEditor(DatabaseSchemaEditor):
    sql_create_column_inline_fk = None  # type: ignore[assignment]  # a column's own REFERENCES cannot name two columns

    def _iter_column_sql(self, column_db_type: Any, params: Any, model: Any, field: Any, *rest: Any) -> Iterator[str]:
        for part in super()._iter_column_sql(column_db_type, params, model, field, *rest):  # type: ignore[misc]
            if part == "PRIMARY KEY" and is_walled(model):
                continue
            yield part

    def table_sql(self, model: Any) -> tuple[str, list[Any]]:
        sql, params = super().table_sql(model)
        if is_walled(model):
            end = sql.rindex(")")
            sql = f'{sql[:end]}, PRIMARY KEY ("tenant_id", "{model._meta.pk.column}"){sql[end:]}'
        return sql, params

    def _create_fk_sql(self, model: Any, field: Any, suffix: str) -> Statement:
        statement: Statement = super()._create_fk_sql(model, field, suffix)  # type: ignore[misc]
        if getattr(field, "carries_tenant", False):
            target = field.target_field
            statement.parts["column"] = Columns(model._meta.db_table, ["tenant_id", field.column], self.quote_name)
            statement.parts["to_column"] = Columns(
                target.model._meta.db_table, ["tenant_id", target.column], self.quote_name
            )
        return statement

    def _field_indexes_sql(self, model: Any, field: Any) -> list[Any]:
        if getattr(field, "carries_tenant", False) and not field.unique:
            if _begins_an_index(model, field):
                return []
            return [self._create_index_sql(model, fields=[model._meta.get_field("tenant"), field])]  # type: ignore[attr-defined]
        return list(super()._field_indexes_sql(model, field))  # type: ignore[misc]
