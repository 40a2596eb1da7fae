"""Access tokens: EdDSA over Ed25519, `typ=at+jwt` (RFC 9068), five minutes, verified without a look-up of their own."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from apps.tenants import clock
from apps.tenants.ids import new_id
from apps.tenants.refusals import NotSignedIn

TYPE = "at+jwt"
ALGORITHM = "EdDSA"
AUDIENCE = "orkestra"
REQUIRED = ["iss", "aud", "sub", "exp", "iat", "jti"]


@dataclass(frozen=True)
class Claims:
    """What a verified access token says; no role is in it, for roles are read at each request."""

    user: UUID
    tenant: UUID | None
    family: UUID
    issued_at: datetime
    auth_time: datetime
    amr: tuple[str, ...]


@lru_cache(maxsize=4)
def _key(pem: str) -> Ed25519PrivateKey:
    if not pem:
        raise ImproperlyConfigured("ORKESTRA_SIGNING_KEY is not set: no token can be signed.")
    key = load_pem_private_key(pem.encode(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise ImproperlyConfigured("ORKESTRA_SIGNING_KEY must be an Ed25519 private key.")
    return key


def _public() -> Ed25519PublicKey:
    return _key(settings.SIGNING_KEY_PEM).public_key()


def key_id() -> str:
    """The key's name: the first 16 hex digits of the SHA-256 of its public bytes."""
    return hashlib.sha256(_public().public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()[:16]


def key_set() -> dict[str, Any]:
    """The public keys as a JWK set (RFC 8037)."""
    raw = _public().public_bytes(Encoding.Raw, PublicFormat.Raw)
    x = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    return {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": x, "kid": key_id(), "use": "sig", "alg": ALGORITHM}]}


def issue_access(*, user: UUID, tenant: UUID | None, family: UUID, auth_time: datetime, amr: str) -> str:
    """A signed access token for a person in a tenant, or in none."""
    now = clock.now()
    claims: dict[str, Any] = {
        "iss": settings.PUBLIC_URL,
        "aud": AUDIENCE,
        "sub": str(user),
        "fam": str(family),
        "auth_time": int(auth_time.timestamp()),
        "amr": amr.split(),
        "iat": now.timestamp(),  # to the microsecond, so that a revocation hits what came before it and nothing after
        "exp": int((now + settings.ACCESS_TOKEN_LIFETIME).timestamp()),
        "jti": str(new_id()),
    }
    if tenant is not None:
        claims["tid"] = str(tenant)
    headers = {"typ": TYPE, "kid": key_id()}
    return jwt.encode(claims, _key(settings.SIGNING_KEY_PEM), algorithm=ALGORITHM, headers=headers)


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
        if header.get("typ") != TYPE or header.get("kid") != key_id():
            raise NotSignedIn("This is not an access token of ours.")
        claims = jwt.decode(
            token,
            _public(),
            algorithms=[ALGORITHM],
            audience=AUDIENCE,
            issuer=settings.PUBLIC_URL,
            options={"require": REQUIRED},
        )
        return Claims(
            user=UUID(claims["sub"]),
            tenant=UUID(claims["tid"]) if claims.get("tid") else None,
            family=UUID(claims["fam"]),
            issued_at=datetime.fromtimestamp(claims["iat"], UTC),
            auth_time=datetime.fromtimestamp(claims["auth_time"], UTC),
            amr=tuple(claims["amr"]),
        )
    except jwt.ExpiredSignatureError:
        raise NotSignedIn("The access token has expired; refresh it.", code="token_expired") from None
    except (jwt.PyJWTError, KeyError, ValueError, TypeError):
        raise NotSignedIn("The access token does not verify.", code="token_invalid") from None
