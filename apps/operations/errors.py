"""Failures of what we depend on, counted where they happen, also those that somebody handles."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import structlog
from django.db import InterfaceError, OperationalError
from redis import Redis
from redis.exceptions import RedisError

from apps.tenants.measures import DEPENDENCY_ERRORS

log = structlog.get_logger(__name__)


class MeasuredRedis(Redis):
    """The cache's client, as django-redis makes it."""

    def execute_command(self, *args: Any, **options: Any) -> Any:
        try:
            return super().execute_command(*args, **options)
        except RedisError:
            DEPENDENCY_ERRORS.labels("cache").inc()
            raise


def count_database_error(execute: Callable[..., Any], *rest: Any) -> Any:
    """An execute wrapper."""
    try:
        return execute(*rest)
    except (OperationalError, InterfaceError) as error:
        _count(error)
        raise


def watch_connection(connection: Any, **_rest: Any) -> None:
    """Django has connected; every statement of this connection is watched from now on."""
    if count_database_error not in connection.execute_wrappers:
        connection.execute_wrappers.insert(0, count_database_error)


def watch_request(**_rest: Any) -> None:
    """Django turns an exception into an answer: its frames go to the log, under the request's id."""
    error = sys.exc_info()[1]
    if isinstance(error, OperationalError | InterfaceError):
        _count(error)
    log.error("request_failed", exc_info=error)


def _count(error: Exception) -> None:
    """Once for one error, however many layers see it."""
    if not getattr(error, "is_counted", False):
        error.is_counted = True  # type: ignore[attr-defined]
        DEPENDENCY_ERRORS.labels("database").inc()
