"""What the Security page says of identity, checked on the running system."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib.auth.hashers import identify_hasher, is_password_usable
from django.db.models import Count, F, Q
from django.utils.translation import gettext as _

from apps.tenants import clock
from apps.tenants.context import NOBODY, current, tenant_context
from apps.tenants.freshness import DANGEROUS, FRESH_FOR, NotFresh, require_fresh
from apps.tenants.ids import new_id
from apps.tenants.refusals import Forbidden
from apps.tenants.slots import Finding

from . import limits, revocation
from . import second_factor as second_factor_adapter
from .models import ApiKey, BrowserSession, Kept, Member, RecoveryCode, Revocation, RevokedKind
from .rules import FOR_PEOPLE, MATRIX, PERMISSIONS, Role
from .second_factor import SecondFactorAdapter
from .sessions import TOUCHED_SECONDS
from .tokens import Claims

PROBED = 50
SIGN_IN = (
    "/account/login/",
    "/account/2fa/authenticate/",
    "/account/password/reset/",
    "/api/v1/auth/token",
    "/api/v1/auth/refresh",
)
MADE_UP = {
    "id": "AAAA",
    "rawId": "AAAA",
    "type": "public-key",
    "response": {"clientDataJSON": "e30", "authenticatorData": "A" * 50, "signature": "AAAA"},
    "clientExtensionResults": {},
}


def revoked() -> Finding:
    """Ask both ways about the newest revocation, and about a token that nobody took back."""
    good = Claims(new_id(), None, new_id(), clock.now(), clock.now(), ("probe",))
    with tenant_context(NOBODY):
        newest = Revocation.objects.order_by("-at").first()
    asked = [(good, False)]
    if newest is not None:
        asked.append((_taken_back(good, newest), True))
    answers = [(revocation.ask_cache(claims), revocation.ask_database(claims), is_so) for claims, is_so in asked]
    holds = all(database is is_so and cache in {None, is_so} for cache, database, is_so in answers)
    ready = answers[0][0] is not None
    word = _("Redis carries the list") if ready else _("Redis is not ready: PostgreSQL is asked at each request")
    return Finding(holds, _("%(word)s; both ways of asking agree.") % {"word": word} if holds else word)


def _taken_back(claims: Claims, row: Revocation) -> Claims:
    key = UUID(str(row.key))
    if row.kind == RevokedKind.FAMILY:
        return replace(claims, issued_at=row.at, family=key)
    if row.kind == RevokedKind.USER:
        return replace(claims, issued_at=row.at, user=key)
    return replace(claims, issued_at=row.at, tenant=key)


def second_factor() -> Finding:
    """Every stored secret opens with the installation's key, and none is in the clear."""
    adapter = SecondFactorAdapter()
    count = 0
    with tenant_context(NOBODY):
        for found in Authenticator.objects.filter(type="totp")[:PROBED]:
            kept = found.data.get("secret") or ""
            if adapter.decrypt(kept) == kept:
                return Finding(False, _("A secret is stored in the clear."))
            count += 1
        for code in RecoveryCode.objects.all()[:PROBED]:
            if not is_password_usable(code.hashed) or identify_hasher(code.hashed) is None:
                return Finding(False, _("A recovery code is not hashed."))
            count += 1
    demo = " " + _("This is a demo: Super Admins get in without one.") if settings.IS_DEMO else ""
    return Finding(
        True, _("%(n)s stored secrets looked at: apps encrypted, recovery codes hashed.") % {"n": count} + demo
    )


def passkeys() -> Finding:
    """Begin a sign-in by passkey as our page would, and see that a made-up answer to it is refused; read what is stored."""
    from fido2.server import Fido2Server
    from fido2.webauthn import PublicKeyCredentialRpEntity, UserVerificationRequirement

    host = settings.PUBLIC_URL.split("://", 1)[-1].split("/", 1)[0].rsplit(":", 1)[0]
    server = Fido2Server(PublicKeyCredentialRpEntity(id=host, name="Orkestra"))
    options, state = server.authenticate_begin(user_verification=UserVerificationRequirement.PREFERRED)
    try:
        server.authenticate_complete(state, [], MADE_UP)
        return Finding(False, _("A made-up passkey was taken."))
    except ValueError:
        pass
    with tenant_context(NOBODY):
        kept = [row.wrap().authenticator_data for row in Authenticator.objects.filter(type="webauthn")[:PROBED]]
    whole = all(data.credential_data is not None for data in kept)
    fits = options.public_key.rp_id == host and second_factor_adapter.passkeys_work()
    text = _("A made-up passkey was refused just now; %(n)s stored ones can be read, for %(host)s.")
    return Finding(whole and fits, text % {"n": len(kept), "host": host})


def guessing() -> Finding:
    """Every way to sign in is counted, and the counts lie in the database that is asked here."""
    closed = [path for path in SIGN_IN if not any(pattern.match(path) for pattern, _limit in limits.DOORS)]
    count = Kept.objects.filter(expires_at__gt=clock.now()).count()
    text = _("%(doors)s doors are counted; %(n)s counts are being kept.") % {"doors": len(SIGN_IN), "n": count}
    return Finding(not closed, text)


def sessions() -> Finding:
    """No stored session outlives twelve hours without use, or seven days."""
    now = clock.now()
    absolute = timedelta(seconds=settings.SESSION_ABSOLUTE_SECONDS + 60)
    idle = timedelta(seconds=settings.SESSION_COOKIE_AGE + TOUCHED_SECONDS + 60)  # a use is noted every few minutes
    with tenant_context(NOBODY):
        rows = BrowserSession.objects.filter(user_id__isnull=False)
        beyond = rows.filter(
            Q(expire_date__gt=F("seen_at") + idle) | Q(expire_date__gt=F("opened_at") + absolute)
        ).count()
        count = rows.filter(expire_date__gt=now).count()
    text = _("%(n)s sessions are open, %(beyond)s of them beyond their bounds.")
    return Finding(beyond == 0, text % {"n": count, "beyond": beyond})


def api_keys() -> Finding:
    """Every key is a hash, scoped by the matrix, and ends within a year."""
    keys = list(ApiKey.objects.alive())
    bad = [key for key in keys if len(key.secret_sha256) != 32 or not set(key.scopes) <= set(PERMISSIONS)]
    bad += [key for key in keys if key.expires_at - key.created_at > timedelta(days=366)]
    return Finding(not bad, _("%(n)s keys are alive, all hashed, scoped and ending.") % {"n": len(keys)})


def service_accounts() -> Finding:
    """None has a password, a session, an owner's role or what takes a person."""
    accounts = list(Member.objects.filter(is_service=True).select_related("user"))
    bad = [one for one in accounts if one.user.has_usable_password() or one.role == Role.OWNER]
    bad += [one for one in accounts if not one.user.is_service or FOR_PEOPLE & one.permissions]
    with tenant_context(NOBODY):
        sessions = BrowserSession.objects.filter(user_id__in=[one.user_id for one in accounts]).count()
    text = _("%(n)s service accounts: none has a password, a session, an owner's role or a say.")
    return Finding(not bad and not sessions, text % {"n": len(accounts)})


def step_up() -> Finding:
    """An old sign-in is refused for every act of the list, and so is an API key."""
    old = replace(current(), user=UUID(int=0), credential="jwt", auth_time=clock.now() - 2 * FRESH_FOR)
    passed = []
    for act in DANGEROUS:
        for acting, refusal in ((old, NotFresh), (replace(old, credential="api_key"), Forbidden)):
            try:
                with tenant_context(acting):
                    require_fresh(act)
                passed.append(act)
            except refusal:
                pass
    return Finding(not passed, _("%(n)s acts asked for a fresh sign-in, and took no key.") % {"n": len(DANGEROUS)})


def roles() -> Finding:
    """Every member's role stands in the matrix, and the matrix grants nothing that is not named."""
    named = frozenset().union(*MATRIX.values()) == set(PERMISSIONS)
    if current().tenant is None:
        text = _("%(roles)s roles, %(n)s permissions, one table.") % {"roles": len(MATRIX), "n": len(PERMISSIONS)}
        return Finding(named, text)
    counted = dict(Member.objects.active().values_list("role").annotate(n=Count("pk")))
    holds = named and set(counted) <= set(Role.values) and counted.get(Role.OWNER, 0) > 0
    text = ", ".join(f"{number} {Role(role).label}" for role, number in sorted(counted.items()))
    return Finding(holds, _("Active members: %(text)s.") % {"text": text})
