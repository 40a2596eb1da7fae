"""Links that prove an address, because only its mailbox holds them: used once, and of one subject the newest alone.

What is kept lies under a hash and sealed; of the link's secret there is only a hash in it. Once the encryption key was
changed an open link opens nothing, and another one is asked for.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass
from datetime import timedelta

from django.utils.crypto import salted_hmac

from apps.tenants.encryption import Unreadable, seal, unseal
from apps.tenants.refusals import NotFound

from . import limits

PURPOSE = "link that proves an address"
REFERENCE_LENGTH = 32


@dataclass(frozen=True)
class Kind:
    """What a link is for, and how long it can be used."""

    name: str
    lifetime: timedelta


SIGN_UP = Kind("sign up", timedelta(hours=24))
NEW_ADDRESS = Kind("new address", timedelta(hours=24))


def make(kind: Kind, subject: str, value: str) -> str:
    """The secret of a new link of this subject, which ends any earlier one; `value` comes back to whoever shows it."""
    reference, secret = _reference(kind, subject), secrets.token_urlsafe(32)
    stored = seal(PURPOSE, json.dumps({"secret": _digest(secret), "value": value}))
    limits.keep(_key(kind, reference), stored, kind.lifetime.total_seconds(), overwrite=True)
    return reference + secret


def look(kind: Kind, word: str) -> str:
    """What a link was made for. Raises NotFound for one that is unknown, used, replaced or too old."""
    reference, secret = word[:REFERENCE_LENGTH], word[REFERENCE_LENGTH:]
    stored = limits.kept(_key(kind, reference))
    try:
        found = json.loads(unseal(PURPOSE, stored or ""))
    except Unreadable:
        raise NotFound() from None
    if not hmac.compare_digest(found["secret"], _digest(secret)):
        raise NotFound()
    return str(found["value"])


def use(kind: Kind, word: str) -> str:
    """The same, and the link is used when the caller's transaction ends well; whoever races waits, and finds it gone."""
    value = look(kind, word)
    if not limits.drop(_key(kind, word[:REFERENCE_LENGTH])):
        raise NotFound()
    return value


def _reference(kind: Kind, subject: str) -> str:
    return salted_hmac(f"{PURPOSE}: {kind.name}", subject, algorithm="sha256").hexdigest()[:REFERENCE_LENGTH]


def _key(kind: Kind, reference: str) -> str:
    return f"{kind.name}:{reference}"


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
