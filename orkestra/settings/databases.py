"""From connection URLs to Django's database aliases: one alias a role, so that no code path can borrow another's power."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured
from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from .config import Config

ALIASES = {
    "default": "DATABASE_URL",
    "platform": "DATABASE_PLATFORM_URL",
    "sealer": "DATABASE_SEALER_URL",
    "owner": "DATABASE_OWNER_URL",
}
CONNECT_TIMEOUT_SECONDS = 3
# How long a server may be silent on TCP before its connection counts as lost: 5 + 3 × 2 s while it is awaited, 10 s while
# something is sent. Without them the kernel waits for a quarter of an hour and longer. The address may name others.
SILENCE = {
    "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": 10_000,
}  # fmt: skip


def database(url: str, name: str, bind_mode: str) -> dict[str, Any]:
    """One entry of DATABASES from a libpq URL; sockets by `?host=/folder`."""
    parts = _parts(url, name)
    known = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}
    entry: dict[str, Any] = {key: str(parts.pop(part, "") or "") for key, part in known.items()}
    return entry | {
        "ENGINE": "apps.tenants.backend",
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "DISABLE_SERVER_SIDE_CURSORS": True,
        "BIND_MODE": bind_mode,
        "OPTIONS": parts,
    }


def bounded(url: str, name: str) -> str:
    """The same address for who connects past Django, as `key=value`; empty for an empty one."""
    return make_conninfo("", **_parts(url, name)) if url else ""


def _parts(url: str, name: str) -> dict[str, Any]:
    try:
        return {"connect_timeout": CONNECT_TIMEOUT_SECONDS, **SILENCE, **conninfo_to_dict(url)}
    except ProgrammingError as error:
        raise ImproperlyConfigured(f"{name} is not a PostgreSQL address: {str(error).strip()}") from None


def databases(config: Config) -> dict[str, dict[str, Any]]:
    """All aliases whose address is known; `default` is always there, empty when nothing is configured."""
    mode = config.text("ORKESTRA_BIND_MODE")
    if mode not in {"statement", "transaction"}:
        raise ImproperlyConfigured("ORKESTRA_BIND_MODE is statement or transaction.")
    found = {alias: (name, config.text(name)) for alias, name in ALIASES.items()}
    if config.surface == "tenant":
        _name, url = found.pop("platform")
        if url:
            raise ImproperlyConfigured("The tenant surface must not hold DATABASE_PLATFORM_URL; take it away there.")
    made = {alias: database(url, name, mode) for alias, (name, url) in found.items() if url}
    return made or {"default": database("postgresql:///orkestra", "DATABASE_URL", mode)}


def email(url: str) -> dict[str, Any]:
    """Django's mail settings from `console:`, `memory:` or `smtp://user:password@host:port?tls=1`."""
    parts = urlsplit(url)
    if parts.scheme in {"console", "memory"}:
        kind = {"console": "console", "memory": "locmem"}[parts.scheme]
        return {"EMAIL_BACKEND": f"django.core.mail.backends.{kind}.EmailBackend"}
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
        raise ImproperlyConfigured("EMAIL_URL is console: or smtp://user:password@host:port?tls=1.")
    return {
        "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "EMAIL_HOST": parts.hostname,
        "EMAIL_PORT": parts.port or 25,
        "EMAIL_HOST_USER": parts.username or "",
        "EMAIL_HOST_PASSWORD": parts.password or "",
        "EMAIL_USE_TLS": "tls=1" in parts.query,
        "EMAIL_USE_SSL": parts.scheme == "smtps",
        "EMAIL_TIMEOUT": 10,
    }
