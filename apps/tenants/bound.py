"""The signed value for a statement: which key this process signs with, and what it signed within the last minute.

The app asks the database for the id of the newest key, never for a key: it derives the key from its own secret.
"""

from __future__ import annotations

import time
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.conf import settings

from . import signing

KID_SECONDS = 60  # how long a process goes on with a key before it asks for a newer one
NEWEST = "SELECT orkestra_context_kid(%s)"


class NoContextKey(RuntimeError):
    """The database has no key that was derived from this installation's secret."""


class _Newest:
    """The id of the newest key, as this process knows it."""

    kid: str = ""
    asked: float = 0.0


def bound_value(connection: Any, tenant: UUID | None, person: UUID | None) -> str:
    """The signed value for a statement on this psycopg connection. Raises NoContextKey.

    Once a minute and process it first asks which key is the newest: the only extra statement that signing costs.
    """
    if not _Newest.kid or time.monotonic() - _Newest.asked > KID_SECONDS:
        _Newest.kid, _Newest.asked = _ask(connection), time.monotonic()
    return _signed(settings.SECRET_KEY, _Newest.kid, tenant, person, signing.expiry(time.time()))


def forget() -> None:
    """Ask for the newest key before the next statement."""
    _Newest.kid = ""


@lru_cache(maxsize=4096)
def _signed(secret: str, kid: str, tenant: UUID | None, person: UUID | None, expires: int) -> str:
    return signing.sign(_key(secret, kid), kid, tenant, person, expires)


@lru_cache(maxsize=16)
def _key(secret: str, kid: str) -> bytes:
    return signing.key_of(secret, kid)


def _ask(connection: Any) -> str:
    row = connection.execute(NEWEST, [signing.fingerprint(settings.SECRET_KEY)]).fetchone()
    kid = row[0] if row else None
    if not kid:
        raise NoContextKey(
            "The database holds no context key made from this ORKESTRA_SECRET_KEY: run manage.py rotate_context_key "
            "with DATABASE_OWNER_URL and the secret that the web process has."
        )
    return str(kid)
