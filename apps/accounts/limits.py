"""How often something may be tried. Counted in PostgreSQL, one statement a try, so that no loss of Redis opens a door.

A subject (an address, an account) is kept as a hash only. A window starts with its first try and is forgotten after it.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from allauth.core.internal.ratelimit import truncate_ip
from django.db import connection, transaction
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from apps.audit.actions import record_platform
from apps.tenants import clock
from apps.tenants.context import NOBODY, tenant_context
from apps.tenants.refusals import Problem
from apps.tenants.security_events import Kind, security_event

from .devices import client_address
from .models import BrowserSession, Kept
from .pseudonyms import account_of, called_by_address

COUNT = """
    INSERT INTO accounts_kept AS k (key, count, value, expires_at) VALUES (%s, 1, '', %s)
    ON CONFLICT (key) DO UPDATE SET
      count = CASE WHEN k.expires_at <= %s THEN 1 ELSE k.count + 1 END,
      expires_at = CASE WHEN k.expires_at <= %s THEN excluded.expires_at ELSE k.expires_at END
    RETURNING count, expires_at"""


class TooMany(Problem):
    status, code, title = 429, "too_many_tries", _("Too many tries")

    def __init__(self, retry_after_seconds: int, *, is_first: bool = False) -> None:
        super().__init__(_("Too many tries. Wait a few minutes, then try again."))
        self.is_first = is_first  # of its window
        self.retry_after_seconds = max(1, retry_after_seconds)
        self.extra = {"retry_after": self.retry_after_seconds}


@dataclass(frozen=True)
class Limit:
    """At most `amount` within `seconds` for one subject; `is_attack` where passing it means that somebody guesses."""

    name: str
    amount: int
    seconds: int
    is_attack: bool = False


# Failures only: whoever gets in gets these tries back.
GUESSES_AT_ACCOUNT_FROM_ADDRESS = Limit("sign_in.account_address", 5, 300, is_attack=True)
GUESSES_AT_ACCOUNT = Limit("sign_in.account", 50, 3600, is_attack=True)  # of all strangers together
GUESSES_OF_KNOWN = Limit("sign_in.known", 20, 3600, is_attack=True)  # of one session, browser or address of theirs
GUESSES_FROM_ADDRESS = Limit("sign_in.address", 30, 60, is_attack=True)
SECOND_FACTOR_GUESSES = Limit("second_factor.account", 5, 300, is_attack=True)
GUESSES_AT_CHANGE = Limit("password_change.account", 5, 300, is_attack=True)
RESETS_FOR_ACCOUNT = Limit("reset.account", 5, 300)
CHANGES_OF_ADDRESS = Limit("address_change.account", 5, 3600)
CHANGES_TO_ADDRESS = Limit("address_change.address", 5, 3600)
SIGN_UPS_FOR_ADDRESS = Limit("sign_up.account", 5, 3600)
SIGN_UPS_FROM_ADDRESS = Limit("sign_up.address", 20, 3600)
SIGN_UPS_IN_ALL = Limit("sign_up.instance", 1000, 86400)
ORGANISATIONS_OF_PERSON = Limit("organisation.account", 5, 86400)
INVITATIONS_OF_TENANT = Limit("invitations.tenant", 300, 3600)
INVITATIONS_TO_ADDRESS = Limit("invitations.address", 5, 3600)
BAD_KEYS_FROM_ADDRESS = Limit("api_key.address", 60, 60, is_attack=True)

# What anybody may ask for, by its path: each address has its own budget.
DOORS: tuple[tuple[re.Pattern[str], Limit], ...] = (
    (re.compile(r"/account/login/"), Limit("door.sign_in", 300, 60)),
    (re.compile(r"/account/2fa/authenticate/"), Limit("door.second_factor", 120, 60)),
    (re.compile(r"/account/password/reset/"), Limit("door.reset", 60, 60)),
    (re.compile(r"/account/signup/"), Limit("door.sign_up", 120, 60)),
    (re.compile(r"/account/sso/"), Limit("door.sso", 120, 60)),
    (re.compile(r"/account/invitation/"), Limit("door.invitation", 120, 60)),
    (re.compile(r"/api/v1/auth/token\Z"), Limit("door.token", 600, 60)),
    (re.compile(r"/api/v1/auth/(refresh|revoke)\Z"), Limit("door.refresh", 1200, 60)),
)
# Behind these, looking is trying too.
COUNTED_WHEN_LOOKED_AT = ("/account/invitation/", "/account/sso/", "/account/signup/")


def spend(limit: Limit, subject: str, *, account: str = "") -> None:
    """Count one try. Raises TooMany beyond the limit; the first time in a window it is logged and told as an event.

    `account` is the address that was typed, where one was: what is kept of the caller is then its person's to have erased.
    """
    now = clock.now()
    end = now + timedelta(seconds=limit.seconds)
    with tenant_context(NOBODY), connection.cursor() as cursor:
        cursor.execute(COUNT, [_key(limit, subject), end, now, now])
        count, until = cursor.fetchone()
    if count <= limit.amount:
        return
    is_first = count == limit.amount + 1
    if is_first:
        _tell(limit, subject, account)
    raise TooMany(int((until - now).total_seconds()) + 1, is_first=is_first)


def give_back(limit: Limit, subject: str) -> None:
    """Take a try back that was none."""
    with tenant_context(NOBODY), connection.cursor() as cursor:
        cursor.execute("UPDATE accounts_kept SET count = greatest(count - 1, 0) WHERE key = %s", [_key(limit, subject)])


def spend_at_door(request: HttpRequest) -> None:
    """Count a request that brings no credential yet. Raises TooMany."""
    if request.method != "POST" and not request.path_info.startswith(COUNTED_WHEN_LOOKED_AT):
        return
    for pattern, limit in DOORS:
        if pattern.match(request.path_info):
            spend(limit, address_of(request))
            return


def address_of(request: HttpRequest) -> str:
    """The client's address behind our own proxies; of IPv6 the network, since one person has all of it."""
    return truncate_ip(client_address(request))


def forget_old() -> None:
    """Drop counts and sessions that have run out; the worker does it again and again."""
    with tenant_context(NOBODY):
        Kept.objects.filter(expires_at__lt=clock.now()).delete()
        BrowserSession.objects.filter(expire_date__lt=clock.now()).delete()


def _tell(limit: Limit, subject: str, account: str) -> None:
    facts = {"limit": limit.name, "subject": str(account_of(subject))}
    with called_by_address(account) as whose, transaction.atomic():
        record_platform("limit.passed", facts=facts | ({"account": str(whose)} if whose else {}), outcome="refused")
    if limit.is_attack:
        security_event(Kind.BRUTE_FORCE, **facts)


def _key(limit: Limit, subject: str) -> str:
    return hashlib.sha256(f"limit:{limit.name}:{subject}".encode()).hexdigest()


KEEP = """
    INSERT INTO accounts_kept AS k (key, count, value, expires_at) VALUES (%s, 0, %s, %s)
    ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at
    WHERE %s OR k.expires_at <= %s RETURNING 1"""


def keep(key: str, value: str, seconds: float, *, overwrite: bool) -> bool:
    """Keep a value for some seconds; without `overwrite` only the first of racing writers succeeds."""
    now = clock.now()
    parameters: list[Any] = [_kept(key), value, now + timedelta(seconds=seconds), overwrite, now]
    with tenant_context(NOBODY), connection.cursor() as cursor:
        cursor.execute(KEEP, parameters)
        return cursor.fetchone() is not None


def kept(key: str) -> str | None:
    """The value that is kept, or None."""
    with tenant_context(NOBODY):
        row = Kept.objects.filter(key=_kept(key), expires_at__gt=clock.now()).first()
    return row.value if row else None


def drop(key: str) -> bool:
    """Forget a value."""
    with tenant_context(NOBODY):
        return Kept.objects.filter(key=_kept(key)).delete()[0] > 0


def _kept(key: str) -> str:
    return hashlib.sha256(f"kept:{key}".encode()).hexdigest()
