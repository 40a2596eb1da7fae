"""What an answer of an identity provider must say before anybody is let in by it. Pure decisions, no network."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from .models import FactorTrust, Kind

GOOGLE_ISSUER = "https://accounts.google.com"
# Signatures that only the provider can make; `none` and HS256 (whose key the client shares) are not among them.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
SKEW = timedelta(seconds=60)
OLDEST = timedelta(minutes=10)
LONGEST_SUBJECT = 255
LONGEST_ADDRESS = 254
LONGEST_NAME = 200
# What RFC 8176 calls a second factor, or something that is one by itself.
SECOND_FACTORS = frozenset({"mfa", "otp", "hwk", "swk", "sc", "fpt", "face", "iris", "vbm", "fido"})
DOMAIN = re.compile(r"(?=.{4,253}\Z)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])\Z")


class Mistrusted(Exception):
    """The provider's answer does not hold; `reason` is a word of ours, for the log and for whoever asks."""

    def __init__(self, reason: str, *, is_forged: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_forged = is_forged


@dataclass(frozen=True)
class Expected:
    """What this very sign-in must come back with."""

    issuer: str
    client_id: str
    nonce: str
    fresh_since: datetime | None = None


@dataclass(frozen=True)
class Said:
    """What a verified provider says of a person; `email` is empty unless the provider has verified it.

    `seen_at` is when they last proved to it who they are, in seconds since 1970; 0 where it does not say.
    """

    subject: str
    email: str
    name: str
    hosted_domain: str
    amr: tuple[str, ...]
    seen_at: float = 0.0


def check_issuer_of_answer(answered: str | None, *, issuer: str, is_promised: bool) -> None:
    """RFC 9207: the `iss` of the redirect is the provider that was asked, wherever it is given or promised."""
    if answered is None and is_promised:
        raise Mistrusted("iss_missing", is_forged=True)
    if answered is not None and not hmac.compare_digest(answered.encode(), issuer.encode()):
        raise Mistrusted("iss_of_another", is_forged=True)


def check_claims(claims: Mapping[str, Any], expected: Expected, now: datetime) -> str:
    """OpenID Connect Core 1.0, section 3.1.3.7, points 2 to 13, after the signature; the subject."""
    if claims.get("iss") != expected.issuer:
        raise Mistrusted("wrong_issuer", is_forged=True)
    audience = claims.get("aud")
    audiences = [audience] if isinstance(audience, str) else audience if isinstance(audience, list) else []
    if expected.client_id not in audiences:
        raise Mistrusted("wrong_audience", is_forged=True)
    if claims.get("azp", expected.client_id) != expected.client_id or (len(audiences) > 1 and "azp" not in claims):
        raise Mistrusted("wrong_party", is_forged=True)
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not hmac.compare_digest(nonce.encode(), expected.nonce.encode()):
        raise Mistrusted("wrong_nonce", is_forged=True)
    if now - SKEW >= _moment(claims, "exp", now):
        raise Mistrusted("expired")
    issued = _moment(claims, "iat", now)
    if issued > now + SKEW or issued < now - OLDEST:
        raise Mistrusted("not_of_now")
    if expected.fresh_since is not None and _moment(claims, "auth_time", now) < expected.fresh_since - SKEW:
        raise Mistrusted("not_fresh")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT or not subject.isprintable():
        raise Mistrusted("no_subject")
    return subject


def _moment(claims: Mapping[str, Any], name: str, now: datetime) -> datetime:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Mistrusted(f"no_{name}")
    try:
        return datetime.fromtimestamp(value, now.tzinfo)
    except (OverflowError, ValueError, OSError):
        raise Mistrusted(f"no_{name}") from None


def seen_at(claims: Mapping[str, Any], now: datetime) -> float:
    """The `auth_time` of a signed answer, which may be hours before it; 0 where it is missing, no moment, or to come."""
    try:
        moment = _moment(claims, "auth_time", now)
    except Mistrusted:
        return 0.0
    return min(moment, now).timestamp() if moment <= now + SKEW else 0.0


def said(subject: str, claims: Mapping[str, Any], *, seen_at: float) -> Said:
    """The person as the provider describes them. An address that it does not call verified is none."""
    email, name, amr = claims.get("email"), claims.get("name"), claims.get("amr")
    is_verified = claims.get("email_verified") in (True, "true")
    return Said(
        subject=subject,
        email=email.strip().lower() if isinstance(email, str) and is_verified else "",
        name=_one_line(name)[:LONGEST_NAME] if isinstance(name, str) else "",
        hosted_domain=str(claims.get("hd", "")).lower(),
        amr=tuple(str(one) for one in amr) if isinstance(amr, Sequence) and not isinstance(amr, str) else (),
        seen_at=seen_at,
    )


def _one_line(text: str) -> str:
    """A name as it can stand in a list, a mail and the database: control characters are spaces, and end nothing."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def is_address(email: str) -> bool:
    """Whether this is one address that a mail can go to and a member can have: of one @, short enough, without controls."""
    if len(email) > LONGEST_ADDRESS or email.count("@") != 1 or not email.isprintable():
        return False
    try:
        validate_email(email)
    except ValidationError:
        return False
    return True


def second_factor_of(trust: str, amr: Sequence[str]) -> str:
    """What a sign-in at the provider brings of a second factor: `said`, `always` (it need not say so), or nothing."""
    if trust != FactorTrust.NEVER and SECOND_FACTORS & set(amr):
        return str(FactorTrust.SAID)
    return str(FactorTrust.ALWAYS) if trust == FactorTrust.ALWAYS else ""


def still_counts(trust: str | None, factor: str) -> bool:
    """Whether what `second_factor_of` once gave counts by what the tenant trusts now; None for a provider that is gone."""
    return bool(factor) and (trust == FactorTrust.ALWAYS or trust == factor == FactorTrust.SAID)


def domain_of(email: str) -> str:
    """The part after the last @, in lower case; empty for what is no address."""
    local, at, domain = email.strip().lower().rpartition("@")
    return domain if local and at and DOMAIN.match(domain) else ""


def may_match(kind: str, person: Said, domains: frozenset[str]) -> bool:
    """Whether the address stands for a person here: in a domain that the tenant has proven to own.

    Google also gives accounts to anybody with an address of the domain; only `hd` says that its Workspace did.
    """
    domain = domain_of(person.email)
    if domain not in domains:
        return False
    return kind != Kind.GOOGLE or person.hosted_domain == domain
