"""Refresh tokens: each is used once; a second use revokes the whole family.

A token is `ort_<family>.<generation>.<secret>`; only the SHA-256 of the newest secret is stored. Rotation is one
conditional UPDATE, so that of many racing refreshes exactly one wins.
"""

from __future__ import annotations

import hashlib
import secrets
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F

from apps.audit.actions import record
from apps.tenants import clock
from apps.tenants.context import TenantContext, current, tenant_context
from apps.tenants.models import PLATFORM_TENANT_ID
from apps.tenants.refusals import NotSignedIn

from .. import revocation
from ..models import RevokedKind, TokenFamily, User
from ..people import memberships
from ..tokens import issue_access

PREFIX = "ort_"


@dataclass(frozen=True)
class Pair:
    """What a client gets: `expires_in` is the access token's life in seconds."""

    access: str
    refresh: str
    expires_in: int
    token_type: str = "Bearer"


def open_family(user: User, *, tenant: UUID | None, amr: str = "pwd") -> Pair:
    """The first pair of a sign-in, for one tenant or for none."""
    now, secret = clock.now(), secrets.token_urlsafe(32)
    with _unbound(), transaction.atomic():
        family = TokenFamily.objects.create(
            user=user,
            tenant_id=tenant,
            amr=amr,
            auth_time=now,
            secret_sha256=_digest(secret),
            idle_expires_at=now + settings.REFRESH_IDLE_LIFETIME,
            expires_at=now + settings.REFRESH_ABSOLUTE_LIFETIME,
        )
        _record("token.issued", family)
    return _pair(family, 0, secret)


def rotate(token: str) -> Pair:
    """A new pair for a refresh token that is still the newest of its family. Raises NotSignedIn."""
    family_id, generation, secret = _parse(token)
    now, successor = clock.now(), secrets.token_urlsafe(32)
    with _unbound():
        family = _usable(family_id, now)
        turned = TokenFamily.objects.filter(
            pk=family.pk,
            generation=generation,
            secret_sha256=_digest(secret),
            revoked_at=None,
        ).update(
            generation=F("generation") + 1,
            secret_sha256=_digest(successor),
            idle_expires_at=min(now + settings.REFRESH_IDLE_LIFETIME, family.expires_at),
        )
        if not turned:
            _reused(family, generation)
    return _pair(family, generation + 1, successor)


def revoke(token: str) -> None:
    """End the family of a refresh token; an unknown or ended one is left as it is (RFC 7009, section 2.2)."""
    try:
        family_id, generation, secret = _parse(token)
    except NotSignedIn:
        return
    with _unbound(), transaction.atomic():
        found = TokenFamily.objects.filter(pk=family_id, generation=generation, secret_sha256=_digest(secret))
        for family in found.filter(revoked_at=None):
            _end(family, "token.revoked")


def end_families(user: UUID, tenant: UUID | None = None) -> None:
    """End every family of a person, or only those for one tenant, with their access tokens."""
    with _unbound(), transaction.atomic():
        rows = TokenFamily.objects.filter(user_id=user, revoked_at=None)
        for family in rows.filter(tenant_id=tenant) if tenant else rows:
            _end(family, "token.revoked")
        if tenant is None:
            revocation.revoke(RevokedKind.USER, user)


def _end(family: TokenFamily, action: str) -> None:
    """Refresh and access tokens of a family are refused from the commit on."""
    TokenFamily.objects.filter(pk=family.pk).update(revoked_at=clock.now())
    revocation.revoke(RevokedKind.FAMILY, family.pk)
    _record(action, family)


def _unbound() -> AbstractContextManager[TenantContext]:
    """Families are found before a tenant is known."""
    return tenant_context(TenantContext(request_id=current().request_id))


def _usable(family_id: UUID, now: datetime) -> TokenFamily:
    family = TokenFamily.objects.select_related("user").filter(pk=family_id).first()
    if family is None or family.revoked_at or now >= min(family.idle_expires_at, family.expires_at):
        raise NotSignedIn("The refresh token has ended; sign in again.", code="refresh_ended")
    person: User = family.user
    tenants = {member.tenant_id for member in memberships(person.pk)}
    if not person.is_active or (family.tenant_id is not None and family.tenant_id not in tenants):
        raise NotSignedIn("The refresh token has ended; sign in again.", code="refresh_ended")
    return family


def _reused(family: TokenFamily, generation: int) -> None:
    """A guess changes nothing; a token that was good once and comes back ends its family. Always raises."""
    if generation < TokenFamily.objects.values_list("generation", flat=True).get(pk=family.pk):
        with transaction.atomic():
            _end(family, "token.reused")
    raise NotSignedIn("The refresh token was used before; sign in again.", code="refresh_reused")


def _record(action: str, family: TokenFamily) -> None:
    member = next((m for m in memberships(family.user_id) if m.tenant_id == family.tenant_id), None)
    context = TenantContext(
        tenant=family.tenant_id or PLATFORM_TENANT_ID,
        user=family.user_id,
        member=member.pk if member else None,
        credential="jwt",
        request_id=current().request_id,
    )
    with tenant_context(context):
        record(action, family)


def _pair(family: TokenFamily, generation: int, secret: str) -> Pair:
    access = issue_access(
        user=family.user_id,
        tenant=family.tenant_id,
        family=family.pk,
        auth_time=family.auth_time,
        amr=family.amr,
    )
    refresh = f"{PREFIX}{family.pk.hex}.{generation}.{secret}"
    return Pair(access, refresh, int(settings.ACCESS_TOKEN_LIFETIME.total_seconds()))


def _parse(token: str) -> tuple[UUID, int, str]:
    try:
        family, generation, secret = token.removeprefix(PREFIX).split(".")
        if not token.startswith(PREFIX) or len(generation) > 9:
            raise ValueError
        return UUID(family), int(generation), secret
    except ValueError:
        raise NotSignedIn("This is not a refresh token of ours.", code="refresh_invalid") from None


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
