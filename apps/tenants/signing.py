"""The bound context as the app signs it and the database verifies it: `kid.tenant.person.expiry.mac`.

The MAC is HMAC-SHA-256 (RFC 2104) over everything before it. Each key is derived from a secret of the configuration and
the key's id, so that the app never reads a key from the database, and a copy of the database never gives away the
secret. No imports of Django: pure rules.
"""

from __future__ import annotations

import hmac
from hashlib import sha256
from uuid import UUID

BUCKET_SECONDS = 60
BLOCK_BYTES = 64  # of SHA-256
FINGERPRINT_LENGTH = 8


def fingerprint(secret: str) -> str:
    """Which secret a key was derived from, without giving it away; key ids begin with it."""
    return hmac.new(secret.encode(), b"orkestra.context.fingerprint", sha256).hexdigest()[:FINGERPRINT_LENGTH]


def key_of(secret: str, kid: str) -> bytes:
    """The 32 bytes of one key."""
    return hmac.new(secret.encode(), b"orkestra.context.key." + kid.encode(), sha256).digest()


def blocks(key: bytes) -> tuple[bytes, bytes]:
    """The key as HMAC uses it, `K ^ ipad` and `K ^ opad`: with these, SQL needs nothing but sha256()."""
    padded = key.ljust(BLOCK_BYTES, b"\0")
    return bytes(byte ^ 0x36 for byte in padded), bytes(byte ^ 0x5C for byte in padded)


def expiry(now: float) -> int:
    """When a value signed now ends, in Unix seconds: 60 to 120 s away, the same for all of one minute so that it can be kept."""
    return (int(now) // BUCKET_SECONDS + 2) * BUCKET_SECONDS


def sign(key: bytes, kid: str, tenant: UUID | None, person: UUID | None, expires: int) -> str:
    """The value that is bound; an empty tenant is a signed "no tenant is known yet", not an absence."""
    payload = f"{kid}.{tenant or ''}.{person or ''}.{expires}"
    return f"{payload}.{hmac.new(key, payload.encode(), sha256).hexdigest()}"
