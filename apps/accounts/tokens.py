"""Access tokens: EdDSA over Ed25519, `typ=at+jwt` (RFC 9068), five minutes, verified without a look-up of their own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import jwt
from django.conf import settings

from apps.tenants import clock
from apps.tenants.ids import new_id
from apps.tenants.refusals import NotSignedIn

from . import signing_keys

TYPE = "at+jwt"
ALGORITHM = "EdDSA"
AUDIENCE = "orkestra"
REQUIRED = ["iss", "aud", "sub", "fam", "gen", "amr", "auth_time", "scope", "exp", "iat", "jti"]
TENANT, PLATFORM, ACCOUNT = "tenant", "platform", "account"


@dataclass(frozen=True)
class Claims:
    """What a verified access token says; no role is in it, for roles are read at each request."""

    user: UUID
    tenant: UUID | None
    family: UUID
    issued_at: datetime
    auth_time: datetime
    amr: tuple[str, ...]
    scope: str = ACCOUNT


def issue_access(
    *,
    user: UUID,
    tenant: UUID | None,
    family: UUID,
    auth_time: datetime,
    amr: str,
    generation: int = 0,
    platform: bool = False,
) -> str:
    """A signed access token; `scope` says what it opens: one tenant, the platform, or only the person's account."""
    now = clock.now()
    claims: dict[str, Any] = {
        "iss": settings.PUBLIC_URL,
        "aud": AUDIENCE,
        "sub": str(user),
        "fam": str(family),
        "gen": generation,
        "auth_time": int(auth_time.timestamp()),
        "amr": amr.split(),
        "scope": TENANT if tenant is not None else PLATFORM if platform else ACCOUNT,
        "iat": now.timestamp(),  # to the microsecond, so that a revocation hits what came before it and nothing after
        "exp": int((now + settings.ACCESS_TOKEN_LIFETIME).timestamp()),
        "jti": str(new_id()),
    }
    if tenant is not None:
        claims["tid"] = str(tenant)
    key = signing_keys.ring().signer()
    return jwt.encode(claims, key.private, algorithm=ALGORITHM, headers={"typ": TYPE, "kid": key.kid})


def bearer(header: str) -> str:
    """The token of an Authorization header. Raises NotSignedIn."""
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise NotSignedIn("Send an access token: Authorization: Bearer …")
    return token.strip()


def read_access(token: str) -> Claims:
    """Verify signature, type, key, issuer, audience and lifetime. Raises NotSignedIn for whatever does not hold."""
    try:
        header = jwt.get_unverified_header(token)
        key = signing_keys.verifier(header.get("kid"))
        if header.get("typ") != TYPE or header.get("alg") != ALGORITHM or key is None:
            raise NotSignedIn("This is not an access token of ours.", code="token_invalid")
        return _claims(
            jwt.decode(
                token,
                key.public,
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                issuer=settings.PUBLIC_URL,
                options={"require": REQUIRED},
            )
        )
    except jwt.ExpiredSignatureError:
        raise NotSignedIn("The access token has expired; refresh it.", code="token_expired") from None
    except (jwt.PyJWTError, AttributeError, KeyError, ValueError, TypeError, OverflowError, OSError):
        raise NotSignedIn("The access token does not verify.", code="token_invalid") from None


def _claims(found: dict[str, Any]) -> Claims:
    return Claims(
        user=UUID(found["sub"]),
        tenant=UUID(found["tid"]) if found.get("tid") else None,
        family=UUID(found["fam"]),
        issued_at=datetime.fromtimestamp(found["iat"], UTC),
        auth_time=datetime.fromtimestamp(found["auth_time"], UTC),
        amr=tuple(found["amr"]),
        scope=str(found["scope"]),
    )
