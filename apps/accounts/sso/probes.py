"""What the Security page says of single sign-on, checked on the running system."""

from __future__ import annotations

from datetime import timedelta

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings
from django.utils.translation import gettext as _

from apps.tenants import clock
from apps.tenants.context import current
from apps.tenants.egress import EgressFailed, check_url
from apps.tenants.ids import new_id
from apps.tenants.refusals import Refused
from apps.tenants.slots import Finding

from . import provider, rules
from .models import SsoConnection, SsoDomain
from .rules import Expected, Mistrusted

INSIDE = ("https://169.254.169.254/", "https://10.0.0.1/", "http://idp.example/")


def forged_answers() -> Finding:
    """Make a provider's answer with a key made now, bend it in each way, and see which is taken; ask the way out too."""
    key, client, nonce = Ed25519PrivateKey.generate(), str(new_id()), str(new_id())
    issuer = "https://probe.invalid"
    now = clock.now()
    good: dict[str, object] = {
        "iss": issuer,
        "aud": client,
        "sub": "probe",
        "nonce": nonce,
        "iat": int(now.timestamp()),
        "exp": int((now + timedelta(minutes=5)).timestamp()),
    }
    expected = Expected(issuer, client, nonce)
    bent: list[dict[str, object]] = [
        {"iss": "https://other.invalid"},
        {"aud": "other"},
        {"azp": "other"},
        {"nonce": "other"},
        {"exp": int(now.timestamp()) - 600},
        {"iat": int(now.timestamp()) + 600},
        {"sub": ""},
    ]
    tokens = [jwt.encode({**good, **change}, key, algorithm="EdDSA") for change in bent]
    stranger = jwt.encode(good, Ed25519PrivateKey.generate(), algorithm="EdDSA")
    held = jwt.PyJWK({**_public(key), "alg": "EdDSA"})
    taken = [token for token in [*tokens, stranger] if _is_taken(token, held, expected)]
    is_right = _is_taken(jwt.encode(good, key, algorithm="EdDSA"), held, expected)
    inside = [url for url in INSIDE if not _is_refused(url)]
    holds = is_right and not taken and not inside
    text = _("%(n)s forged answers made now were refused, and %(m)s addresses inside our network.")
    return Finding(holds, text % {"n": len(tokens) + 1 - len(taken), "m": len(INSIDE) - len(inside)} + _here())


def _is_taken(token: str, key: jwt.PyJWK, expected: Expected) -> bool:
    try:
        rules.check_claims(provider.claims_of(token, key, "EdDSA"), expected, clock.now())
    except Mistrusted:
        return False
    return True


def _is_refused(url: str) -> bool:
    try:
        check_url(url)
    except Refused:
        return True
    except EgressFailed:
        return False
    return False


def _public(key: Ed25519PrivateKey) -> dict[str, str]:
    found = jwt.algorithms.OKPAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {name: str(value) for name, value in found.items()}


def _here() -> str:
    """How it stands with the tenant in force."""
    loopback = " " + _("Addresses of this very machine are allowed: development.") if settings.EGRESS_LOOPBACK else ""
    if current().tenant is None:
        return loopback
    facts = {"n": SsoConnection.objects.active().count(), "m": SsoDomain.objects.proven().count()}
    return loopback + " " + _("Providers of this tenant: %(n)s; proven domains: %(m)s.") % facts
