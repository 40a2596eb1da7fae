"""The client of an identity provider: OpenID Connect by discovery, authorization code with PKCE, keys by JWKS.

Ours rather than allauth's, which has neither nonce nor a comparison of issuers, has PKCE off unless asked, fetches any
address, and signs a person in to everything they belong to. Each call goes out through `egress`: public hosts only, one
resolved address, no redirects, bounded in time and size. Signatures are PyJWT's.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import jwt
import structlog
from django.conf import settings
from django.core.cache import cache
from django_redis.exceptions import ConnectionInterrupted
from redis.exceptions import RedisError

from apps.tenants import clock
from apps.tenants.egress import Answer, Bounds, EgressFailed, fetch
from apps.tenants.refusals import Refused

from .. import limits
from . import rules
from .models import SsoConnection
from .rules import Expected, Mistrusted, Said

log = structlog.get_logger(__name__)
BOUNDS = Bounds(connect=3.0, read=5.0, total=8.0, most_bytes=256 * 1024)
KEPT_SECONDS = 600
REFETCH_SECONDS = 60
SHORTEST_RSA = 2048
AWAY = (RedisError, ConnectionInterrupted)
SCOPE = "openid email profile"


class Unreachable(Exception):
    """The provider could not be asked, or answered nothing that can be read; `reason` is a word of ours."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Metadata:
    """What discovery says (OpenID Connect Discovery 1.0, section 3), as far as we use it."""

    issuer: str
    authorize: str
    token: str
    keys: str
    userinfo: str
    says_issuer: bool
    takes_basic: bool


@dataclass(frozen=True)
class Started:
    """One sign-in on its way; only the browser's session holds it."""

    state: str
    nonce: str
    verifier: str
    hint: str = ""
    is_fresh: bool = False


def discover(issuer: str) -> Metadata:
    """Ask the issuer where its doors are. Raises Unreachable; Mistrusted when it says it is somebody else."""
    body = _json("GET", issuer.rstrip("/") + "/.well-known/openid-configuration", "discovery")
    if body.get("issuer") != issuer:
        raise Mistrusted("issuer_differs", is_forged=True)
    methods = body.get("token_endpoint_auth_methods_supported")
    return Metadata(
        issuer=issuer,
        authorize=_address(body, "authorization_endpoint"),
        token=_address(body, "token_endpoint"),
        keys=_address(body, "jwks_uri"),
        userinfo=_address(body, "userinfo_endpoint") if body.get("userinfo_endpoint") else "",
        says_issuer=body.get("authorization_response_iss_parameter_supported") is True,
        takes_basic=not isinstance(methods, list) or "client_secret_basic" in methods,
    )


def metadata(connection: SsoConnection) -> Metadata:
    """The same, kept for ten minutes."""
    name = f"sso:{connection.pk}:metadata"
    found = _kept(name)
    if found is None:
        found = vars(discover(connection.issuer))
        _keep(name, found)
    return Metadata(**found)


def authorize_url(connection: SsoConnection, started: Started) -> str:
    """Where the browser goes: authorization code, PKCE by S256 (RFC 7636), state and nonce."""
    there = metadata(connection)
    digest = hashlib.sha256(started.verifier.encode()).digest()
    query = {
        "response_type": "code",
        "client_id": connection.client_id,
        "redirect_uri": callback_url(connection),
        "scope": SCOPE,
        "state": started.state,
        "nonce": started.nonce,
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }
    if started.hint:
        query["login_hint"] = started.hint
    if started.is_fresh:
        query |= {"prompt": "login", "max_age": "0"}
    return there.authorize + ("&" if urlsplit(there.authorize).query else "?") + urlencode(query)


def callback_url(connection: SsoConnection) -> str:
    """Where the provider sends the browser back; each connection has its own, so that answers cannot be mixed up."""
    return f"{settings.PUBLIC_URL}/account/sso/{connection.pk}/callback/"


def redeem(connection: SsoConnection, code: str, verifier: str, expected: Expected) -> Said:
    """Exchange the code, verify what comes back, and tell who it is. Raises Unreachable, Mistrusted."""
    there = metadata(connection)
    answer = _exchange(connection, there, code, verifier)
    claims = _verify(connection, there, str(answer.get("id_token") or ""))
    now = clock.now()
    subject, seen_at = rules.check_claims(claims, expected, now), rules.seen_at(claims, now)
    if "email" not in claims and there.userinfo and isinstance(answer.get("access_token"), str):
        claims = _userinfo(there, str(answer["access_token"]), subject) | claims
    return rules.said(subject, claims, seen_at=seen_at)


def _exchange(connection: SsoConnection, there: Metadata, code: str, verifier: str) -> dict[str, Any]:
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": callback_url(connection),
        "code_verifier": verifier,
    }
    headers = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
    secret = connection.secret
    if secret and there.takes_basic:
        pair = f"{quote(connection.client_id, safe='')}:{quote(secret, safe='')}"
        headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    else:
        form |= {"client_id": connection.client_id} | ({"client_secret": secret} if secret else {})
    return _json("POST", there.token, "token", headers=headers, content=urlencode(form).encode())


def _verify(connection: SsoConnection, there: Metadata, token: str) -> dict[str, Any]:
    """The claims of an ID token whose signature is the provider's."""
    try:
        header = jwt.get_unverified_header(token)
    except jwt.PyJWTError:
        raise Mistrusted("no_id_token") from None
    algorithm, name = str(header.get("alg")), header.get("kid")
    if algorithm not in rules.ALGORITHMS:
        raise Mistrusted("algorithm_refused", is_forged=True)
    key = _key(connection, there, algorithm, name if isinstance(name, str) else None)
    return claims_of(token, key, algorithm)


def claims_of(token: str, key: jwt.PyJWK, algorithm: str) -> dict[str, Any]:
    """What a token says, where this key signed it by this algorithm; what it says is judged by `rules`."""
    options: Any = {f"verify_{name}": False for name in ("exp", "iat", "nbf", "aud", "iss", "sub", "jti")}
    options["verify_signature"] = True
    try:
        return jwt.decode(token, key, algorithms=[algorithm], options=options)
    except (jwt.PyJWTError, ValueError, TypeError):
        raise Mistrusted("signature_wrong", is_forged=True) from None


def _key(connection: SsoConnection, there: Metadata, algorithm: str, name: str | None) -> jwt.PyJWK:
    """The key that the token names. An unknown name asks for the set again, at most once a minute."""
    place = f"sso:{connection.pk}:keys"
    held = _kept(place)
    found = _choose(held or {}, algorithm, name)
    if found is None and (held is None or _may_refetch(connection)):
        held = _json("GET", there.keys, "keys")
        _keep(place, held)
        found = _choose(held, algorithm, name)
    if found is None:
        raise Mistrusted("key_unknown", is_forged=True)
    return found


def _choose(held: Mapping[str, Any], algorithm: str, name: str | None) -> jwt.PyJWK | None:
    """The one signing key of this name and family; without a name only where there is no second one to choose from."""
    rows = held.get("keys")
    fitting = []
    for row in rows if isinstance(rows, list) else []:
        if not isinstance(row, dict) or row.get("use", "sig") != "sig" or row.get("alg", algorithm) != algorithm:
            continue
        if row.get("kty") == "oct" or (name is not None and row.get("kid") != name):
            continue
        try:
            key = jwt.PyJWK(row, algorithm)
        except (jwt.PyJWTError, ValueError, TypeError, KeyError):
            continue
        if getattr(key.key, "key_size", SHORTEST_RSA) >= SHORTEST_RSA or row.get("kty") != "RSA":
            fitting.append(key)
    return fitting[0] if len(fitting) == 1 else None


def _userinfo(there: Metadata, access: str, subject: str) -> dict[str, Any]:
    """More about the person; it must be of the same subject (OpenID Connect Core 1.0, section 5.3.2)."""
    found = _json("GET", there.userinfo, "userinfo", headers={"Authorization": f"Bearer {access}"})
    if found.get("sub") != subject:
        raise Mistrusted("subject_swapped", is_forged=True)
    return found


def _json(
    method: str, url: str, what: str, *, headers: Mapping[str, str] | None = None, content: bytes = b""
) -> dict[str, Any]:
    try:
        answer: Answer = fetch(method, url, headers=headers, content=content, bounds=BOUNDS)
        if answer.status != 200:
            raise Unreachable(f"{what}_status_{answer.status}")
        body = answer.json()
    except Refused:
        raise Unreachable(f"{what}_address_refused") from None
    except EgressFailed as failed:
        raise Unreachable(f"{what}_{failed.why}") from None
    if not isinstance(body, dict):
        raise Unreachable(f"{what}_not_json")
    return body


def _address(body: Mapping[str, Any], name: str) -> str:
    """An address that discovery gives: HTTPS, or HTTP on this machine where that is allowed."""
    url = body.get(name)
    scheme = urlsplit(url).scheme if isinstance(url, str) else ""
    if not isinstance(url, str) or not (scheme == "https" or (scheme == "http" and settings.EGRESS_LOOPBACK)):
        raise Mistrusted(f"{name}_missing")
    return url


def _kept(name: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] | None = cache.get(name)
    except AWAY:
        return None
    return found


def _keep(name: str, value: Mapping[str, Any]) -> None:
    try:
        cache.set(name, dict(value), KEPT_SECONDS)
    except AWAY as error:
        log.warning("sso_not_kept", error=type(error).__name__)


def _may_refetch(connection: SsoConnection) -> bool:
    return limits.keep(f"sso:{connection.pk}:asked", "1", REFETCH_SECONDS, overwrite=False)


def forget(connection: SsoConnection) -> None:
    """Ask anew at the next sign-in."""
    try:
        cache.delete_many([f"sso:{connection.pk}:{what}" for what in ("metadata", "keys")])
    except AWAY as error:
        log.warning("sso_not_forgotten", error=type(error).__name__)
