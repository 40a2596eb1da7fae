"""The keys that sign access tokens, and when each of them counts.

The first is the one of the environment. `rotate_signing_key` adds others to the database, private parts sealed by the
installation's encryption keys (`apps.tenants.encryption`); rows of earlier versions, sealed by its secret, still open
until `rotate_encryption_key` has sealed them anew. A new key is published at once and signs only after every cache of the key set has run out; the
one before it verifies until the last token that it signed has expired.
"""

from __future__ import annotations

import base64
import hashlib
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import structlog
from cryptography.fernet import InvalidToken
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from apps.tenants import clock
from apps.tenants.derived import sealer
from apps.tenants.encryption import VERSION, Unreadable, seal, unseal

from .models import SigningKey

log = structlog.get_logger(__name__)
PURPOSE = "signing keys"
CACHED = timedelta(minutes=5)  # how long others may keep our key set
LINGERS = timedelta(minutes=6)  # longer than any access token lives
RELOAD_SECONDS = 10.0
MISSED_SECONDS = 1.0
GONE = "A key that sealed this signing key is gone: run manage.py rotate_signing_key --now."
FIRST = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Key:
    """A key, from when it signs and until when it verifies."""

    kid: str
    public: Ed25519PublicKey
    sealed: str
    signs_from: datetime
    ends: datetime | None

    @property
    def private(self) -> Ed25519PrivateKey:
        """The private part. Raises ImproperlyConfigured where no key of the installation opens it."""
        if not self.sealed:
            return environment_key()
        return _private(self.sealed)


@dataclass(frozen=True)
class Ring:
    """All keys, the oldest first."""

    keys: tuple[Key, ...]

    def alive(self) -> list[Key]:
        """Those that verify now; the key set publishes exactly these."""
        now = clock.now()
        return [key for key in self.keys if key.ends is None or now < key.ends]

    def signer(self) -> Key:
        """The newest that may sign now."""
        now = clock.now()
        if not (able := [key for key in self.alive() if key.signs_from <= now]):
            raise ImproperlyConfigured(GONE)
        return able[-1]

    def verifier(self, kid: object) -> Key | None:
        return next((key for key in self.alive() if key.kid == kid), None)


class _Cache:
    """The ring of this process, read again every few seconds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ring: Ring | None = None
        self._read_at = 0.0

    def get(self, older_than: float = RELOAD_SECONDS) -> Ring:
        with self._lock:
            if self._ring is None or time.monotonic() - self._read_at >= older_than:
                self._ring, self._read_at = _read(), time.monotonic()
            return self._ring

    def forget(self) -> None:
        with self._lock:
            self._ring = None


_cache = _Cache()
forget = _cache.forget


def ring() -> Ring:
    """The keys as they were at most ten seconds ago."""
    return _cache.get()


def verifier(kid: object) -> Key | None:
    """The key of this name, if it verifies now; one that another process has just made is looked for once a second."""
    return _cache.get().verifier(kid) or _cache.get(MISSED_SECONDS).verifier(kid)


def key_set() -> dict[str, Any]:
    """The public keys as a JWK set (RFC 8037)."""
    return {"keys": [_jwk(key) for key in ring().alive()]}


def environment_key() -> Ed25519PrivateKey:
    """The key that the environment gives."""
    return _loaded(settings.SIGNING_KEY_PEM)


def kid_of(public: Ed25519PublicKey) -> str:
    """The key's name: the first 16 hex digits of the SHA-256 of its public bytes."""
    return hashlib.sha256(public.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()[:16]


def _read() -> Ring:
    public = environment_key().public_key()
    rows = [row for row in SigningKey.objects.order_by("signs_from", "created_at") if _is_ours(row, public)]
    found = [(row.kid, Ed25519PublicKey.from_public_bytes(bytes(row.public)), row) for row in rows]
    keys = [] if any(kid == kid_of(public) for kid, _public, _row in found) else [_first(public, rows)]
    for index, (kid, key, row) in enumerate(found):
        keys.append(Key(kid, key, row.sealed, row.signs_from, row.retired_at or _end(rows[index + 1 :])))
    return Ring(tuple(keys))


def _is_ours(row: SigningKey, environment: Ed25519PublicKey) -> bool:
    """Whether its public part is that of the private one that is sealed beside it, or of the environment's key.

    Whoever only writes into the table can seal nothing, so a key of theirs verifies no token.
    """
    try:
        public = _private(row.sealed).public_key() if row.sealed else environment
    except ImproperlyConfigured:
        log.exception("signing_key_unreadable", kid=row.kid)
        return False
    if public.public_bytes_raw() == bytes(row.public) and kid_of(public) == row.kid:
        return True
    log.error("signing_key_not_ours", kid=row.kid)
    return False


def _first(public: Ed25519PublicKey, rows: list[SigningKey]) -> Key:
    return Key(kid_of(public), public, "", FIRST, _end(rows))


def _end(later: list[SigningKey]) -> datetime | None:
    """When a key ends that these come after."""
    return later[0].signs_from + LINGERS if later else None


def _jwk(key: Key) -> dict[str, str]:
    raw = key.public.public_bytes(Encoding.Raw, PublicFormat.Raw)
    x = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    return {"kty": "OKP", "crv": "Ed25519", "x": x, "kid": key.kid, "use": "sig", "alg": "EdDSA"}


@lru_cache(maxsize=4)
def _loaded(pem: str) -> Ed25519PrivateKey:
    if not pem:
        raise ImproperlyConfigured("ORKESTRA_SIGNING_KEY is not set: no token can be signed.")
    key = load_pem_private_key(pem.encode(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise ImproperlyConfigured("ORKESTRA_SIGNING_KEY must be an Ed25519 private key.")
    return key


def sealed(private: bytes) -> str:
    """The private part as it is stored, by the newest key."""
    return seal(PURPOSE, base64.b64encode(private).decode())


def opened(stored: str) -> bytes:
    """The private part. Raises Unreadable, InvalidToken for a row of an earlier version."""
    if stored.startswith(f"{VERSION}:"):
        return base64.b64decode(unseal(PURPOSE, stored))
    return sealer(PURPOSE).decrypt(stored.encode())


@lru_cache(maxsize=8)
def _private(stored: str) -> Ed25519PrivateKey:
    try:
        return Ed25519PrivateKey.from_private_bytes(opened(stored))
    except (Unreadable, InvalidToken):
        raise ImproperlyConfigured(GONE) from None
