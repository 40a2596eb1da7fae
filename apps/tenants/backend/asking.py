"""One value by one message without a cursor, for the question that nearly every request asks.

A cursor that is made and thrown away, a template that is read, parameters and rows that are adapted: for one small
value they cost more than the database's answer. What guards a statement stays: it is bound and signed in the same
message, by the wrappers that every statement goes through, and an error is Django's.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any
from uuid import UUID

from django.db.backends.utils import CursorDebugWrapper
from psycopg import OperationalError
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, Escaping, ExecStatus, TransactionStatus


class _Answer:
    """What wrappers see where they expect a cursor: the last of a message's results, the only one that is kept."""

    def __init__(self) -> None:
        self.cursor, self.value = self, ""

    def nextset(self) -> None:
        """There is none."""


def ask(connection: Any, function: str, *values: object) -> str:
    """The text that a function of the database answers for these values; empty for NULL.

    Raises django.db.DatabaseError, and TypeError for a value that is neither a UUID nor a text.
    """
    connection.validate_thread_sharing()
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    given = ", ".join(_literal(connection, value) for value in values)
    answer = _Answer()
    send: Callable[..., None] = partial(_send, connection, answer)
    for wrapper in reversed(connection.execute_wrappers):
        send = partial(wrapper, send)
    with _noted(connection, statement := f"SELECT {function}({given})"):
        send(statement, None, False, {"connection": connection, "cursor": answer})
    return answer.value


def _noted(connection: Any, statement: str) -> AbstractContextManager[Any]:
    """In Django's log of queries, where somebody reads it."""
    if not connection.queries_logged:
        return nullcontext()
    return CursorDebugWrapper(None, connection).debug_sql(statement, use_last_executed_query=False)


def _send(connection: Any, answer: _Answer, sql: str, *_rest: Any) -> None:
    """Send the message and wait, as libpq does by itself; the interpreter's lock is let go meanwhile."""
    raw = connection.connection
    with connection.wrap_database_errors:
        if not raw.autocommit and raw.pgconn.transaction_status == TransactionStatus.IDLE:
            raw.execute("")  # psycopg begins its transaction
        try:
            found = raw.pgconn.exec_(sql.encode())
        except MemoryError as error:  # libpq gives nothing back where it could not even send
            raise OperationalError("the connection is lost") from error
        if raw.pgconn.status != ConnStatus.OK:
            raise OperationalError(found.error_message.decode(errors="replace"))
        if found.status != ExecStatus.TUPLES_OK:
            raise error_from_result(found, encoding=raw.info.encoding)
        answer.value = (found.get_value(0, 0) or b"").decode()


def _literal(connection: Any, value: object) -> str:
    if isinstance(value, UUID):
        return f"'{value}'"
    if isinstance(value, str):
        return bytes(Escaping(connection.connection.pgconn).escape_literal(value.encode())).decode()
    raise TypeError(f"A question takes UUIDs and texts, not {type(value).__name__}.")
