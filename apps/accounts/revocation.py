"""What is revoked before it expires. PostgreSQL is the truth; Redis carries it, one round trip a request.

The copy is one hash, so that whatever takes a part of it (a flush, an eviction, a restart) takes its `ready` mark too,
and then PostgreSQL is asked. The worker sets the mark for a few seconds after it has copied everything that can still
matter. With both away the request ends in 503. Where Redis stays up and drops one single write, the copy is behind for
about a second, until the worker copies again.
"""

from __future__ import annotations

import threading
import time
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Q
from django_redis import get_redis_connection
from redis.exceptions import RedisError

from apps.tenants import clock
from apps.tenants.context import NOBODY, tenant_context
from apps.tenants.ids import new_id
from apps.tenants.refusals import NotSignedIn

from .models import Revocation, RevokedKind
from .tokens import Claims

log = structlog.get_logger(__name__)
READY_SECONDS = 5
KEPT = timedelta(minutes=15)  # longer than any access token lives
BREAKER_SECONDS = 1.0
COPY = "orkestra:revoked"
# Keep the later of two moments; a hash that this very write has made lives as briefly as any.
PUSH = """
local old = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0')
if tonumber(ARGV[2]) > old then redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) end
if redis.call('TTL', KEYS[1]) < 0 then redis.call('EXPIRE', KEYS[1], ARGV[3]) end
"""
# Ready only where the nonce of this very copy is still there: a loss in between would have taken it.
READY = """
if redis.call('HGET', KEYS[1], 'nonce') == ARGV[1] then
  redis.call('HSET', KEYS[1], 'ready', '1')
  redis.call('EXPIRE', KEYS[1], ARGV[2])
end
"""


class _Breaker:
    """After a failure Redis is not asked for a moment, so that no request waits for its timeout in turn."""

    def __init__(self) -> None:
        self._closed_until = 0.0
        self._lock = threading.Lock()

    @property
    def is_open(self) -> bool:
        return time.monotonic() >= self._closed_until

    def trip(self) -> None:
        with self._lock:
            self._closed_until = time.monotonic() + BREAKER_SECONDS


breaker = _Breaker()


def revoke(kind: RevokedKind, key: UUID) -> None:
    """Refuse, from the commit on, every access token of a family, a person or a tenant that was issued until now."""
    now = clock.now()
    with tenant_context(NOBODY):
        Revocation.objects.create(id=new_id(), kind=kind, key=key, at=now)
        Revocation.objects.filter(at__lt=now - timedelta(days=1)).delete()
    transaction.on_commit(lambda: _push([(kind, key, now)]))


def refuse_revoked(claims: Claims) -> None:
    """Raise NotSignedIn for a token that was taken back. A failing database raises, and the request ends in 503."""
    found = ask_cache(claims)
    if found is None:
        found = ask_database(claims)
    if found:
        raise NotSignedIn("The access token was revoked; sign in again.", code="revoked")


def ask_cache(claims: Claims) -> bool | None:
    """Whether it is revoked; None where the copy cannot be trusted."""
    if not breaker.is_open:
        return None
    subjects = _subjects(claims)
    try:
        ready, *moments = get_redis_connection().hmget(COPY, ["ready", *(_name(*subject) for subject in subjects)])
    except RedisError:
        breaker.trip()
        return None
    if ready is None:
        return None
    return any(
        moment is not None and (kind == RevokedKind.FAMILY or int(moment) >= _micro(claims.issued_at))
        for (kind, _key), moment in zip(subjects, moments, strict=True)
    )


def ask_database(claims: Claims) -> bool:
    """Whether it is revoked, from the truth."""
    wanted = Q(kind=RevokedKind.FAMILY, key=claims.family)
    for kind, key in _subjects(claims)[1:]:
        wanted |= Q(kind=kind, key=key, at__gte=claims.issued_at)
    with tenant_context(NOBODY):
        return Revocation.objects.filter(wanted).exists()


def _subjects(claims: Claims) -> list[tuple[RevokedKind, UUID]]:
    found = [(RevokedKind.FAMILY, claims.family), (RevokedKind.USER, claims.user)]
    return [*found, (RevokedKind.TENANT, claims.tenant)] if claims.tenant else found


def copy_to_cache() -> None:
    """Copy everything that can still matter, and only then call the copy ready; the worker does it every second."""
    nonce = str(new_id())
    try:
        redis: Any = get_redis_connection()
        redis.hset(COPY, "nonce", nonce)
        redis.expire(COPY, READY_SECONDS)
        seen: set[UUID] = set()
        while rows := _unseen(seen):
            _push([(RevokedKind(row.kind), row.key, row.at) for row in rows])
            seen |= {row.pk for row in rows}
        redis.eval(READY, 1, COPY, nonce, READY_SECONDS)
        _forget(redis)
    except RedisError as error:
        log.warning("revocations_not_copied", error=type(error).__name__)


def _forget(redis: Any) -> None:
    """Drop what no living token can be older than."""
    oldest = _micro(clock.now() - KEPT)
    moments = {name.decode(): value for name, value in redis.hgetall(COPY).items()}
    if gone := [name for name, value in moments.items() if ":" in name and int(value) < oldest]:
        redis.hdel(COPY, *gone)


def _unseen(seen: set[UUID]) -> list[Revocation]:
    with tenant_context(NOBODY):
        rows = Revocation.objects.filter(at__gte=clock.now() - KEPT).exclude(pk__in=seen)
        return list(rows)


def _push(rows: list[tuple[RevokedKind, UUID, datetime]]) -> None:
    try:
        redis: Any = get_redis_connection()
        for kind, key, at in rows:
            redis.eval(PUSH, 1, COPY, _name(kind, key), _micro(at), READY_SECONDS)
    except RedisError as error:
        log.error("revocation_not_pushed", error=type(error).__name__, rows=len(rows))


def _name(kind: RevokedKind, key: UUID) -> str:
    return f"{kind}:{key}"


def _micro(moment: datetime) -> int:
    """Microseconds since 1970."""
    return round(moment.timestamp() * 1_000_000)
