"""What the browser's session knows of single sign-on: sign-ins on their way, and the one that opened it.

A session that a provider opened is limited to the provider's tenant. It shows nothing of the person's other tenants, and
manages none of what would open them: no password, no second factor.
"""

from __future__ import annotations

import hmac
import re
import secrets
import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from allauth.account.authentication import get_authentication_records
from allauth.account.internal.flows.login import record_authentication
from django.http import HttpRequest

from apps.tenants.context import as_system
from apps.tenants.refusals import NotFound

from .. import limits
from ..models import User
from . import rules
from .models import SsoConnection, SsoIdentity
from .provider import Started

STARTED = "orkestra_sso"
METHOD = "sso"
MOST_STARTED = 5
STARTED_SECONDS = 600
# What of /account/ a limited session may open; everything else there concerns the person in all their tenants.
OPEN_TO_LIMITED = re.compile(r"/account/(logout|start|again|2fa/reauthenticate|2fa/webauthn/reauthenticate)/\Z")


@dataclass(frozen=True)
class Opened:
    """The provider's sign-in that opened a session."""

    tenant: UUID
    connection: UUID
    identity: UUID


def begin(request: HttpRequest, connection: SsoConnection, *, target: str, hint: str, is_fresh: bool) -> Started:
    """Remember a sign-in that is about to leave for the provider, in this browser's session only."""
    started = Started(
        state=secrets.token_urlsafe(32),
        nonce=secrets.token_urlsafe(32),
        verifier=secrets.token_urlsafe(48),
        hint=hint,
        is_fresh=is_fresh,
    )
    row = {"connection": str(connection.pk), "target": target, "at": time.time(), **vars(started)}
    request.session[STARTED] = [*_alive(request), row][-MOST_STARTED:]
    return started


def take(request: HttpRequest, connection: UUID, state: str) -> tuple[Started, str] | None:
    """The sign-in of this browser that the answer belongs to, and where it leads; once, whatever becomes of it."""
    rows = _alive(request)
    found = next((row for row in rows if hmac.compare_digest(row["state"].encode(), state.encode())), None)
    request.session[STARTED] = [row for row in rows if row is not found]
    if found is None or found["connection"] != str(connection):
        return None
    # The session is read and written whole, so two answers at one moment would both find it there.
    if not limits.keep(f"sso state:{found['state']}", "taken", STARTED_SECONDS, overwrite=False):
        return None
    names = ("state", "nonce", "verifier", "hint", "is_fresh")
    return Started(**{name: found[name] for name in names}), str(found["target"])


def _alive(request: HttpRequest) -> list[dict[str, Any]]:
    rows = request.session.get(STARTED, [])
    return [row for row in rows if time.time() - row["at"] < STARTED_SECONDS]


def mark(request: HttpRequest, user: User, identity: SsoIdentity, *, factor: str, seen_at: float) -> None:
    """Write into the session that the provider vouched for this person; `factor` as `rules.second_factor_of` has it.

    The moment is when they proved it there, not that of the answer: a provider answers for whoever is still signed in.
    """
    record_authentication(
        request,
        user,
        method=METHOD,
        tenant=str(identity.tenant_id),
        connection=str(identity.connection_id),
        identity=str(identity.pk),
        factor=factor or None,
        reauthenticated=True,
        at=seen_at,
    )


def opened_by(request: HttpRequest, user: User) -> Opened | None:
    """The provider's sign-in that limits this session; None for one by password or passkey."""
    records: list[dict[str, Any]] = get_authentication_records(request, user)
    for row in reversed(records):
        if row.get("method") == METHOD:
            return _opened(row)
    return None


def brings_factor(request: HttpRequest, record: dict[str, Any]) -> bool:
    """Whether a record of the session stands for a second factor at the provider, by what its tenant trusts at this moment."""
    if record.get("method") != METHOD or not record.get("factor"):
        return False
    return rules.still_counts(_trust(request, _opened(record)), str(record["factor"]))


def _opened(row: dict[str, Any]) -> Opened:
    return Opened(UUID(row["tenant"]), UUID(row["connection"]), UUID(row["identity"]))


def _trust(request: HttpRequest, opened: Opened) -> str | None:
    """What a second factor at the provider counts for; None where provider or link is gone. Read once in a request."""
    read: dict[UUID, str | None] = request.__dict__.setdefault("sso_trust", {})
    if opened.identity not in read:
        with as_system(opened.tenant):
            rows = SsoIdentity.objects.filter(pk=opened.identity, connection__removed_at=None)
            read[opened.identity] = rows.values_list("connection__factor_trust", flat=True).first()
    return read[opened.identity]


def limit(request: HttpRequest, user: User) -> UUID | None:
    """The one tenant that this session opens; None where nothing limits it."""
    opened = opened_by(request, user)
    return opened.tenant if opened else None


def refuse_beyond(request: HttpRequest, user: User, tenant: UUID | None) -> None:
    """Raise NotFound for what a limited session does not open: another tenant (None: none at all), most of /account/."""
    opened = opened_by(request, user)
    if opened is None or (tenant is None and OPEN_TO_LIMITED.match(request.path_info)):
        return
    if tenant != opened.tenant or _trust(request, opened) is None:
        raise NotFound()
