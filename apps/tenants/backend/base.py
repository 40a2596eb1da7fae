"""PostgreSQL as Django knows it, with the tenant bound to every statement.

`SET LOCAL …; SET LOCAL …; <statement>` travels as one message: no extra round trip and no session state, so it is right
in autocommit, inside savepoints and through a pooler in transaction mode. Every statement is prefixed, not the first
only, because a rollback to a savepoint undoes SET LOCAL.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.db import DatabaseError
from django.db.backends.postgresql import base, features
from psycopg.pq import TransactionStatus

from ..context import current
from ..limits import OverLimit
from .schema import SchemaEditor

Execute = Callable[..., Any]
OVER_LIMIT = "OR402"  # what our triggers raise where a tenant's limit would be passed


@lru_cache(maxsize=4096)
def binding(tenant: UUID | None, user: UUID | None) -> str:
    """The statements that bind a tenant and a person; empty values where there is none, which match no row."""
    for value in (tenant, user):
        if value is not None and not isinstance(value, UUID):
            raise TypeError(f"A context holds UUIDs, not {type(value).__name__}.")
    return f"SET LOCAL orkestra.tenant = '{tenant or ''}'; SET LOCAL orkestra.person = '{user or ''}'; "


def bind(execute: Execute, sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
    """The execute wrapper that every connection carries."""
    connection = context["connection"]
    acting = current()
    if connection.alias == "owner" and acting.tenant is None:
        return execute(sql, params, many, context)
    raw = context["cursor"].cursor
    status = connection.connection.info.transaction_status
    if status == TransactionStatus.INERROR:
        # Only ROLLBACK is accepted here, and a prefix would make it fail.
        return execute(sql, params, many, context)
    bound = binding(acting.tenant, acting.user)
    if many or connection.settings_dict.get("BIND_MODE") == "transaction":
        return _bind_beside(execute, sql, params, many, context, bound)
    text = sql if isinstance(sql, str) else sql.as_string(connection.connection)
    result = execute(bound + text, params, many, context)
    while raw.nextset():
        pass
    return result


def _bind_beside(execute: Execute, sql: Any, params: Any, many: bool, context: dict[str, Any], bound: str) -> Any:
    """Bind by a statement of its own in the same transaction, for what cannot be prefixed."""
    connection = context["connection"].connection
    if connection.info.transaction_status == TransactionStatus.IDLE:
        with connection.transaction():
            connection.execute(bound)
            return execute(sql, params, many, context)
    connection.execute(bound)
    return execute(sql, params, many, context)


def _translated(error: DatabaseError) -> Exception:
    """Our own SQLSTATE as the refusal it is; anything else as it came."""
    cause = error.__cause__
    if getattr(cause, "sqlstate", None) != OVER_LIMIT:
        return error
    detail = getattr(getattr(cause, "diag", None), "message_detail", None)
    return OverLimit(json.loads(detail or "{}"))


class DatabaseFeatures(features.DatabaseFeatures):
    def allows_group_by_selected_pks_on_model(self, model: Any) -> bool:
        """PostgreSQL derives columns from the real key `(tenant_id, id)`, never from `id` alone."""
        return not getattr(model, "is_walled", False) and super().allows_group_by_selected_pks_on_model(model)


class DatabaseWrapper(base.DatabaseWrapper):
    SchemaEditorClass = SchemaEditor
    features_class = DatabaseFeatures

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.execute_wrappers.append(bind)

    def _commit(self) -> None:
        """COMMIT, where deferred triggers may find that a limit would be passed. Raises OverLimit for that."""
        try:
            super()._commit()  # type: ignore[misc]
        except DatabaseError as error:
            raise _translated(error) from error

    def chunked_cursor(self) -> Any:
        """A plain cursor: a named one lives over several messages and could not be bound."""
        return self.cursor()
