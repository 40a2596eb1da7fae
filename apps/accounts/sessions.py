"""Sessions of browsers, in a table of ours: whose, since when, from where; ended by deleting the row.

Twelve hours without use and seven days in all, both held by the server, whatever the cookie says.

The table has no key that opens anything: a hash of each, and data that is signed for this one key. Whoever reads the rows,
copies them or puts another hash to them gets into nobody's session.
"""

from __future__ import annotations

import hashlib
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.sessions.backends import db
from django.http import HttpRequest

from .devices import device_of

OPENED, SEEN, AGENT, ADDRESS = "opened_at", "seen_at", "agent", "address"
TOUCHED_SECONDS = 300


class SessionStore(db.SessionStore):
    """Django's own store, with keys hashed, columns beside the data and an end that no use puts off."""

    @classmethod
    def get_model_class(cls) -> Any:
        from .models import BrowserSession

        return BrowserSession

    def create_model_instance(self, data: dict[str, Any]) -> Any:
        made: Any = super().create_model_instance(data)
        made.session_key = stored_key(made.session_key)
        user = data.get("_auth_user_id")
        made.user_id = UUID(user) if user else None
        made.opened_at = _moment(data.get(OPENED))
        made.seen_at = _moment(data.get(SEEN))
        made.agent, made.address = data.get(AGENT, ""), data.get(ADDRESS)
        return made

    @property
    def key_salt(self) -> str:
        """What the signature of the data is made with: the session's own key, so that the data fits no other."""
        return f"{super().key_salt}:{self.session_key}"

    def exists(self, session_key: str) -> bool:
        return bool(super().exists(stored_key(session_key)))

    def delete(self, session_key: str | None = None) -> None:
        if key := session_key or self.session_key:
            super().delete(stored_key(key))

    def _get_session_from_db(self) -> Any:
        rows = self.model.objects.filter(session_key=stored_key(self.session_key or ""))
        found = rows.filter(expire_date__gt=datetime.now(UTC)).first()
        if found is None:
            self._session_key = None
        return found

    def get_expiry_age(self, **kwargs: Any) -> int:
        return max(0, min(super().get_expiry_age(**kwargs), int(self._left().total_seconds())))

    def get_expiry_date(self, **kwargs: Any) -> datetime:
        return min(super().get_expiry_date(**kwargs), datetime.now(UTC) + self._left())

    def _left(self) -> timedelta:
        opened = self.get(OPENED)
        age = timedelta(seconds=time.time() - float(opened)) if opened else timedelta(0)
        return timedelta(seconds=settings.SESSION_ABSOLUTE_SECONDS) - age


def opened(request: HttpRequest) -> None:
    """Note at sign-in since when and from where."""
    request.session[OPENED] = time.time()
    touch(request)


def touch(request: HttpRequest) -> None:
    """Note a use, at most every five minutes; this puts off the end of idleness."""
    if time.time() - float(request.session.get(SEEN, 0)) < TOUCHED_SECONDS:
        return
    device = device_of(request)
    request.session[SEEN] = time.time()
    request.session[AGENT], request.session[ADDRESS] = device.agent, device.address


def stored_key(session_key: str) -> str:
    """What the table has in place of a session's key: 160 bits of its SHA-256, in hex."""
    return hashlib.sha256(session_key.encode()).hexdigest()[:40]


def public_name(stored: str) -> str:
    """What a page calls a session of which the table has this: nobody finds the row from it."""
    return hashlib.sha256(f"session:{stored}".encode()).hexdigest()[:32]


def _moment(seconds: object) -> datetime | None:
    return datetime.fromtimestamp(float(seconds), UTC) if isinstance(seconds, int | float) else None
