"""One JSON line an event on stderr, with the request id and the tenant's id, never a name or an answer."""

from __future__ import annotations

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


SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    with_context,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
]


def logging_config(debug: bool) -> dict[str, Any]:
    """The dictConfig of Django's and the libraries' loggers, and structlog's own configuration."""
    structlog.configure(
        processors=[*SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    formatter = {
        "()": structlog.stdlib.ProcessorFormatter,
        "foreign_pre_chain": SHARED,
        "processors": [
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(default=str),
        ],
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": formatter},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"handlers": ["stderr"], "level": "INFO"},
        "loggers": {
            "django.server": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
            "django.request": {"level": "ERROR"},
            "procrastinate": {"level": "WARNING"},
        },
    }
