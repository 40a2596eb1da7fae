"""One JSON line an event on stderr, with the request id and the tenant's id, never a name or an answer.

The request id is the caller's where they give a well-formed one; nothing else of what a caller sends stands in a line.
The words of an exception may quote what a person typed (`invalid input syntax for type integer: "…"`), so a line has its types,
frames and codes only; ORKESTRA_DEBUG=1 adds the words.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Iterator
from typing import Any

import structlog


def with_context(logger: Any, method: str, event: dict[str, Any]) -> dict[str, Any]:
    """Add who acts, by id."""
    from apps.tenants.context import current

    acting = current()
    for key in ("request_id", "tenant", "user"):
        if value := getattr(acting, key):
            event.setdefault(key, str(value))
    return event


def without_words(logger: Any, method: str, event: dict[str, Any]) -> dict[str, Any]:
    """Turn `exc_info` into frames, types, SQLSTATE and errno."""
    given = event.pop("exc_info", None)
    if given:
        error = (
            given[1] if isinstance(given, tuple) else given if isinstance(given, BaseException) else sys.exc_info()[1]
        )
        event["exception"] = "".join(_frames(error))
    return event


def _frames(error: BaseException | None) -> Iterator[str]:
    while error is not None:
        codes = {name: value for name in ("sqlstate", "errno", "code") if (value := getattr(error, name, None))}
        yield f"{type(error).__module__}.{type(error).__name__} {codes or ''}".rstrip() + "\n"
        yield from traceback.format_tb(error.__traceback__)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


class KindAlone(logging.Handler):
    """What Django says of a request that it refuses quotes the request: addresses, with the secrets in them. We say the kind."""

    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger("orkestra.refused").warning("request_refused", kind=record.name.rpartition(".")[2])


SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    with_context,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def logging_config(debug: bool) -> dict[str, Any]:
    """The dictConfig of Django's and the libraries' loggers, and structlog's own configuration."""
    shared = [*SHARED, structlog.processors.format_exc_info if debug else without_words]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    formatter = {
        "()": structlog.stdlib.ProcessorFormatter,
        "foreign_pre_chain": shared,
        "processors": [
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(default=str),
        ],
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": formatter},
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": "json"},
            "kind": {"class": "orkestra.settings.logs.KindAlone"},
        },
        "root": {"handlers": ["stderr"], "level": "INFO"},
        "loggers": {
            "django.server": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
            "django.request": {"level": "CRITICAL"},  # it names addresses; apps.operations logs both, without them
            "django.security": {"handlers": ["kind"], "propagate": False},
            "procrastinate": {"level": "WARNING"},
            # At DEBUG these write whole requests, prompts included.
            "openai": {"level": "WARNING"},
            "httpx": {"level": "WARNING"},
            "httpcore": {"level": "WARNING"},
            "httpx2": {"level": "WARNING"},
            "httpcore2": {"level": "WARNING"},
            "stripe": {"level": "WARNING"},  # it writes whole addresses, with what stands in them
        },
    }
