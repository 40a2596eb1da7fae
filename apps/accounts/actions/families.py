"""Refresh tokens: each is used once; a second use revokes the whole family.

A token is `ort_<family>.<generation>.<secret>`. The secret is an HMAC of family and generation, and only the SHA-256 of
the newest is stored. Rotation is one conditional UPDATE, so that of many racing refreshes exactly one wins; whoever asks
again within ten seconds, because the answer was lost, gets the successor that the winner got.

What an access token opens (`switch`) is a family of its own, below the token's: it ends with that one and never lives
longer, so that a token that was stolen for five minutes is not worth more than the sign-in it came from.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F

from apps.audit.actions import record
from apps.comms.actions import queue_mail
from apps.tenants import clock
from apps.tenants.context import TenantContext, current, tenant_context
from apps.tenants.derived import derived_key
from apps.tenants.freshness import SHOWN
from apps.tenants.models import PLATFORM_TENANT_ID
from apps.tenants.refusals import NotSignedIn
from apps.tenants.security_events import Kind, security_event
from apps.tenants.slots import slots

from .. import revocation
from ..devices import Device, in_words
from ..models import RevokedKind, TokenFamily, User
from ..people import memberships
from ..tokens import issue_access

PREFIX = "ort_"
LOST_ANSWER = timedelta(seconds=10)


@dataclass(frozen=True)
class Pair:
    """What a client gets: `expires_in` is the access token's life in seconds."""

    access: str
    refresh: str
    expires_in: int
    token_type: str = "Bearer"


def open_family(
    user: User,
    *,
    tenant: UUID | None,
    amr: str = "pwd",
    auth_time: datetime | None = None,
    device: Device | None = None,
    parent: UUID | None = None,
) -> Pair:
    """The first pair of a sign-in, for one tenant or for none; `auth_time` where the person signed in before now.

    `parent` is the family by whose token it is asked for. Raises NotSignedIn where that has ended meanwhile, the
    password is another one than when `user` was read, or the second factor that was shown is gone.
    """
    if user.is_service:
        raise NotSignedIn("A service account has no sign-in; it acts by its API keys.", code="service_account")
    now, device = clock.now(), device or Device()
    with _unbound(), transaction.atomic():
        above = _check_still(user, parent, amr)
        end = now + settings.REFRESH_ABSOLUTE_LIFETIME
        end = min(end, above.expires_at) if above else end
        family = TokenFamily(
            user=user,
            tenant_id=tenant,
            parent=above,
            amr=amr,
            auth_time=auth_time or now,
            agent=device.agent,
            address=device.address,
            created_at=now,
            idle_expires_at=min(now + settings.REFRESH_IDLE_LIFETIME, end),
            expires_at=end,
        )
        family.secret_sha256 = _digest(_secret(family.pk, 0))
        family.save(force_insert=True)
        _record("token.issued", family)
    return _pair(family, 0)


def rotate(token: str, *, device: Device | None = None) -> Pair:
    """A new pair for a refresh token that is still the newest of its family. Raises NotSignedIn."""
    family_id, generation, secret = _parse(token)
    now, device = clock.now(), device or Device()
    with _unbound():
        family = _usable(family_id, now)
        turned = TokenFamily.objects.filter(
            pk=family.pk, generation=generation, secret_sha256=_digest(secret), revoked_at=None
        ).update(
            generation=F("generation") + 1,
            secret_sha256=_digest(_secret(family.pk, generation + 1)),
            rotated_at=now,
            agent=device.agent or family.agent,
            address=device.address or family.address,
            idle_expires_at=min(now + settings.REFRESH_IDLE_LIFETIME, family.expires_at),
        )
        if not turned:
            _ask_again(family, generation, secret, now)
    return _pair(family, generation + 1)


def revoke(token: str) -> None:
    """End the family of a refresh token; an unknown or ended one is left as it is (RFC 7009, section 2.2)."""
    try:
        family_id, generation, secret = _parse(token)
    except NotSignedIn:
        return
    with _unbound(), transaction.atomic():
        family = TokenFamily.objects.filter(
            pk=family_id, generation=generation, secret_sha256=_digest(secret), revoked_at=None
        ).first()
        if family is not None:
            _end(family, "token.revoked")


def end_families(user: UUID, tenant: UUID | None = None) -> None:
    """End every family of a person, or only those for one tenant, with their access tokens.

    What a tenant ends stays within it: a family for another one goes on, whichever it was opened by.
    """
    with _unbound(), transaction.atomic():
        lock_person(user)
        rows = TokenFamily.objects.filter(user_id=user, revoked_at=None)
        for family in rows.filter(tenant_id=tenant) if tenant else rows:
            _close(family, "token.revoked")
        if tenant is None:
            revocation.revoke(RevokedKind.USER, user)


def end_family(family: UUID, *, of: UUID) -> bool:
    """End one family of this person, and what it opened; False where it is not theirs or has ended."""
    with _unbound(), transaction.atomic():
        found = TokenFamily.objects.filter(pk=family, user_id=of, revoked_at=None).first()
        if found is not None:
            _end(found, "token.revoked")
        return found is not None


def lock_person(user: UUID) -> User | None:
    """The person's row, held until the transaction ends: what opens something for them and what ends it take turns."""
    return User.objects.select_for_update(no_key=True).filter(pk=user).first()


def _check_still(user: User, parent: UUID | None, amr: str) -> TokenFamily | None:
    """The family of that id. Raises NotSignedIn where what a sign-in rests on has ended; nothing ends it after this."""
    now = lock_person(user.pk)
    above = TokenFamily.objects.filter(pk=parent, revoked_at=None).first() if parent else None
    is_gone = bool(SHOWN & set(amr.split())) and not slots.has_second_factor(user.pk)
    if now is None or not now.is_active or now.password != user.password or (parent and above is None) or is_gone:
        raise NotSignedIn("What this sign-in rests on has ended; sign in again.", code="ended_meanwhile")
    return above


def _end(family: TokenFamily, action: str) -> None:
    """End a family with all that was opened by its tokens, and by the tokens of that."""
    lock_person(family.user_id)
    _close(family, action)
    above = [family.pk]
    while rows := list(TokenFamily.objects.filter(parent__in=above)):
        for row in rows:
            _close(row, "token.revoked")
        above = [row.pk for row in rows]


def _close(family: TokenFamily, action: str) -> None:
    """Refresh and access tokens of this one family are refused from the commit on."""
    if TokenFamily.objects.filter(pk=family.pk, revoked_at=None).update(revoked_at=clock.now()):
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


def _ask_again(family: TokenFamily, generation: int, secret: str, now: datetime) -> None:
    """Return where the answer to this very token was lost a moment ago; else raise NotSignedIn.

    A guess changes nothing; a token that was good once and comes back ends its family.
    """
    if not hmac.compare_digest(secret, _secret(family.pk, generation)):
        raise NotSignedIn("The refresh token does not verify; sign in again.", code="refresh_invalid")
    with transaction.atomic():
        lock_person(family.user_id)
        family = TokenFamily.objects.select_related("user").select_for_update(of=("self",)).get(pk=family.pk)
        age = now - family.rotated_at if family.rotated_at else None
        if (
            family.revoked_at is None
            and family.generation == generation + 1
            and age is not None
            and abs(age) <= LOST_ANSWER
        ):
            return
        if family.revoked_at is None and generation < family.generation:
            _end(family, "token.reused")
            _tell(family)
    security_event(Kind.TOKEN_REUSED, family=str(family.pk), user=str(family.user_id), generation=generation)
    raise NotSignedIn("The refresh token was used before; sign in again.", code="refresh_reused")


def _tell(family: TokenFamily) -> None:
    """A mail to the person: somebody holds a copy of their token."""
    with tenant_context(TenantContext.system(family.tenant_id or PLATFORM_TENANT_ID, current().request_id)):
        queue_mail(
            to=family.user.email,
            template="account/mail/token_reused",
            context={
                "name": family.user.name,
                "device": in_words(family.agent),
                "link": f"{settings.PUBLIC_URL}/account/sessions/",
            },
            dedupe=f"token-reused:{family.pk}",
            user_id=family.user_id,
        )


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


def _pair(family: TokenFamily, generation: int) -> Pair:
    access = issue_access(
        user=family.user_id,
        tenant=family.tenant_id,
        family=family.pk,
        auth_time=family.auth_time,
        amr=family.amr,
        generation=generation,
        platform=family.tenant_id is None and family.user.is_platform_admin,
    )
    refresh = f"{PREFIX}{family.pk.hex}.{generation}.{_secret(family.pk, generation)}"
    return Pair(access, refresh, int(settings.ACCESS_TOKEN_LIFETIME.total_seconds()))


def _parse(token: str) -> tuple[UUID, int, str]:
    try:
        family, generation, secret = token.removeprefix(PREFIX).split(".")
        if not token.startswith(PREFIX) or len(generation) > 9 or not secret.isascii():
            raise ValueError
        return UUID(family), int(generation), secret
    except ValueError:
        raise NotSignedIn("This is not a refresh token of ours.", code="refresh_invalid") from None


def _secret(family: UUID, generation: int) -> str:
    """What the token of a generation ends with; nobody can tell one from another without our key."""
    mac = hmac.new(derived_key("refresh tokens"), f"{family.hex}.{generation}".encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(mac.digest()).rstrip(b"=").decode()


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
