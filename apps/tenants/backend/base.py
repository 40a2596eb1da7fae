"""PostgreSQL as Django knows it, with the tenant bound to every statement.

`SET LOCAL …; <statement>` travels as one message: no extra round trip and no session state, so it is right in
autocommit, inside savepoints and through a pooler in transaction mode. Every statement is prefixed, not the first only,
because a rollback to a savepoint undoes SET LOCAL. What is bound is signed (context_keys.py), and the policies verify
it: a statement that was smuggled into ours cannot bind another tenant.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC
from typing import Any
from uuid import UUID

import psycopg
from django.db import DatabaseError
from django.db.backends.postgresql import base, features
from psycopg.pq import Format, TransactionStatus

from ..bound import bound_value
from ..context import current
from ..limits import OverLimit
from ..security_events import Kind, security_event
from .schema import SchemaEditor

Execute = Callable[..., Any]
OVER_LIMIT = "OR402"  # what our triggers raise where a tenant's limit would be passed
DENIED = "42501"
KEYS = "tenants_contextkey"
LOADER_OF_TIMES = psycopg.adapters.get_loader(psycopg.postgres.types["timestamptz"].oid, Format.TEXT)
FORGED = "OR403"  # what the policies raise for a bound context that is not ours, or not any more


def binding(connection: Any) -> str:
    """The statement that binds the context in force, for this wrapper's role; empty where the owner acts for nobody.

    The owner binds a bare tenant: it could take the wall down anyway, and its own policies are the only ones that
    read it.
    """
    acting = current()
    for value in (acting.tenant, acting.user):
        if value is not None and not isinstance(value, UUID):
            raise TypeError(f"A context holds UUIDs, not {type(value).__name__}.")
    if connection.alias == "owner":
        return f"SET LOCAL orkestra.tenant = '{acting.tenant}'; " if acting.tenant else ""
    return f"SET LOCAL orkestra.bound = '{bound_value(connection.connection, acting.tenant, acting.user)}'; "


def bind(execute: Execute, sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
    """The execute wrapper that every connection carries."""
    connection = context["connection"]
    if connection.connection.pgconn.transaction_status == TransactionStatus.INERROR:
        # Only ROLLBACK is accepted here, and a prefix would make it fail.
        return execute(sql, params, many, context)
    bound = binding(connection)
    if not bound:
        return execute(sql, params, many, context)
    try:
        if many or connection.settings_dict.get("BIND_MODE") == "transaction":
            return _bind_beside(execute, sql, params, many, context, bound)
        text = sql if isinstance(sql, str) else sql.as_string(connection.connection)
        result = execute(bound + text, params, many, context)
    except DatabaseError as error:
        tell_of_forgery(error, connection.alias)
        raise
    raw = context["cursor"].cursor
    while raw.nextset():
        pass
    return result


def _bind_beside(execute: Execute, sql: Any, params: Any, many: bool, context: dict[str, Any], bound: str) -> Any:
    """Bind by a statement of its own in the same transaction, for what cannot be prefixed.

    Outside `atomic()` that is a transaction made here. Inside, the first statement begins it, and only `atomic()` ends it.
    """
    connection = context["connection"].connection
    with context["connection"].wrap_database_errors:
        if connection.autocommit and connection.info.transaction_status == TransactionStatus.IDLE:
            with connection.transaction():
                connection.execute(bound)
                return execute(sql, params, many, context)
        connection.execute(bound)
        return execute(sql, params, many, context)


def tell_of_forgery(error: DatabaseError, alias: str) -> None:
    """Raise the security event where the database refused a forged or expired context, or whoever asked for the keys.

    It is recorded by who watches.
    """
    if reason := _forgery(error):
        acting = current()
        security_event(
            Kind.CONTEXT_FORGED,
            reason=reason,
            role=alias,
            tenant=str(acting.tenant) if acting.tenant else None,
            user=str(acting.user) if acting.user else None,
            request_id=acting.request_id,
        )


def _forgery(error: DatabaseError) -> str:
    """Why a statement was an attack on the signature; empty where it was none. No statement of ours names the keys."""
    if _sqlstate(error) == FORGED:
        return _detail(error)
    said = getattr(getattr(error.__cause__, "diag", None), "message_primary", None) or ""
    return "keys" if _sqlstate(error) == DENIED and KEYS in said else ""


def _sqlstate(error: DatabaseError) -> str | None:
    return getattr(error.__cause__, "sqlstate", None)


def _detail(error: DatabaseError) -> str:
    return getattr(getattr(error.__cause__, "diag", None), "message_detail", None) or ""


def _translated(error: DatabaseError) -> Exception:
    """Our own SQLSTATE as the refusal it is; anything else as it came."""
    return OverLimit(json.loads(_detail(error) or "{}")) if _sqlstate(error) == OVER_LIMIT else error


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

    def get_connection_params(self) -> dict[str, Any]:
        """Django's, with psycopg's own loader of times, in C: Django's sets the zone, which is UTC on every connection."""
        params: dict[str, Any] = super().get_connection_params()
        if self.timezone is UTC:
            params["context"].register_loader("timestamptz", LOADER_OF_TIMES)
        return params

    def create_cursor(self, name: str | None = None) -> Any:
        """A cursor that takes the connection's loaders. Django's asks them for a zone, which a loader in C does not tell."""
        return self.connection.cursor() if self.timezone is UTC else super().create_cursor(name)

    def _commit(self) -> None:
        """COMMIT, where deferred triggers may find that a limit would be passed. Raises OverLimit for that."""
        try:
            super()._commit()  # type: ignore[misc]
        except DatabaseError as error:
            tell_of_forgery(error, self.alias)
            raise _translated(error) from error

    def chunked_cursor(self) -> Any:
        """A plain cursor: a named one lives over several messages and could not be bound."""
        return self.cursor()
