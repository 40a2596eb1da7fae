"""The keys that sign for the logs. They live outside the database: whoever has only that can sign nothing.

ORKESTRA_AUDIT_KEY holds one or more PEM blocks: the first is the key in force; private keys after it sign beside it for
as long as they stand there, so that who knows only the old key can still verify. Public keys are those of before, which
sign no more: what they signed is known by them. The file is read anew each time, so a rotation needs no restart.
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from urllib.parse import urlsplit
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from . import note

VARIABLE = "ORKESTRA_AUDIT_KEY"
BLOCK = re.compile(r"-----BEGIN PRIVATE KEY-----.+?-----END PRIVATE KEY-----", re.DOTALL)
RETIRED = re.compile(r"-----BEGIN PUBLIC KEY-----.+?-----END PUBLIC KEY-----", re.DOTALL)


@lru_cache(maxsize=4)
def read_keys(pem: str) -> tuple[Ed25519PrivateKey, ...]:
    """The keys of PEM blocks in their order. Raises ImproperlyConfigured."""
    found = []
    for block in BLOCK.findall(pem):
        try:
            key = load_pem_private_key(block.encode(), password=None)
        except ValueError:
            raise ImproperlyConfigured(f"{VARIABLE} holds a block that is no private key.") from None
        if not isinstance(key, Ed25519PrivateKey):
            raise ImproperlyConfigured(f"{VARIABLE} must hold Ed25519 keys only.")
        found.append(key)
    if not found:
        what = "holds no private key" if pem else "is not set"
        raise ImproperlyConfigured(f"{VARIABLE} {what}: nothing can be signed for the audit log.")
    return tuple(found)


@lru_cache(maxsize=4)
def read_retired(pem: str) -> tuple[bytes, ...]:
    """The public keys of PEM blocks, 32 bytes each. Raises ImproperlyConfigured."""
    found = []
    for block in RETIRED.findall(pem):
        try:
            key = load_pem_public_key(block.encode())
        except ValueError:
            raise ImproperlyConfigured(f"{VARIABLE} holds a block that is no public key.") from None
        if not isinstance(key, Ed25519PublicKey):
            raise ImproperlyConfigured(f"{VARIABLE} must hold Ed25519 keys only.")
        found.append(note.raw_public(key))
    return tuple(found)


def signing_keys() -> tuple[Ed25519PrivateKey, ...]:
    """The key in force, and those that sign beside it for now."""
    return read_keys(settings.CONFIG.text(VARIABLE))


def public_keys() -> list[bytes]:
    """Their public halves, 32 bytes each."""
    return [note.raw_public(key.public_key()) for key in signing_keys()]


def retired_keys() -> list[bytes]:
    """Public keys that signed before and sign no more."""
    in_force = public_keys()
    return [public for public in read_retired(settings.CONFIG.text(VARIABLE)) if public not in in_force]


def known_keys() -> list[bytes]:
    """Whatever is signed by one of these was signed by us, now or before."""
    return public_keys() + retired_keys()


def fingerprint(public: bytes) -> str:
    """SHA-256 of a public key in hex: short enough to be read out and compared."""
    return hashlib.sha256(public).hexdigest()


def signers(origin: str) -> list[note.Signer]:
    """All that sign for a log; a key's name is the log's origin, as c2sp.org/tlog-checkpoint asks."""
    return [note.Signer(origin, key) for key in signing_keys()]


def verifiers(origin: str) -> list[note.Verifier]:
    """What a checkpoint of ours must be signed by."""
    return note.verifiers(origin, public_keys())


def has_signed(text: str, origin: str, public: bytes) -> bool:
    """Whether this very key has signed a note, whoever else has."""
    try:
        note.open_note(text, [note.Verifier(origin, public)])
    except note.BadNote:
        return False
    return True


def verifier_keys(origin: str, *, before: bool = False) -> list[str]:
    """The keys as a verifier is given them; those of `before` too, for what they signed."""
    return [note.verifier_key(origin, public) for public in (known_keys() if before else public_keys())]


def incarnation_of(origin: str) -> int:
    """The number that an origin of the log of all checkpoints ends in; 1 where it has none."""
    number = origin.rpartition("/audit")[2].lstrip("/")
    return int(number) if number.isdigit() else 1


def origin_of(tenant: UUID | None, incarnation: int) -> str:
    """`<host>/audit/<tenant>`, or `<host>/audit` for the log of all checkpoints; `/2` and so on after a restore."""
    host = urlsplit(settings.PUBLIC_URL).hostname or "localhost"
    base = f"{host}/audit/{tenant}" if tenant else f"{host}/audit"
    return base if incarnation == 1 else f"{base}/{incarnation}"


def is_origin_of(tenant: UUID | None, origin: str) -> bool:
    """Whether a checkpoint by this name is of this log; the host may have been another one when it was signed."""
    log = f"/audit/{tenant}" if tenant else "/audit"
    return re.fullmatch(rf"[^/\s]+{log}(/[1-9][0-9]*)?", origin) is not None
