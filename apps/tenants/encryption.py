"""Fields that are stored encrypted, each with the name of its key, so that keys can be changed while everything runs.

`ORKESTRA_ENCRYPTION_KEY` holds one key or several, newest first, separated by commas: the first seals, all open. Without
it the keys are derived from Django's secret and its earlier ones. `manage.py rotate_encryption_key` changes them.
AES-256-GCM (NIST SP 800-38D) with a random nonce; the purpose is authenticated too, so that a secret of one kind cannot
be put in the place of another.
"""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

VERSION = "v1"
NONCE_BYTES = 12


class Unreadable(Exception):
    """What is stored was sealed under a key that is not here, for another purpose, or was changed."""


@dataclass(frozen=True)
class Key:
    """One key; `name` is public and tells nothing about it."""

    name: str
    cipher: AESGCM


@lru_cache(maxsize=16)
def _derive(text: str) -> Key:
    made = HKDF(SHA256(), 40, salt=None, info=b"orkestra stored secrets").derive(text.encode())
    return Key(made[32:].hex(), AESGCM(made[:32]))


def ring() -> list[Key]:
    """The keys of this installation, newest first. A file is read each time: another process may have put one in front."""
    path = settings.ENCRYPTION_KEY_FILE
    text = Path(path).read_text(encoding="utf-8") if path else settings.ENCRYPTION_KEYS
    found = [_derive(part.strip()) for part in text.split(",") if part.strip()]
    if not found:
        raise ImproperlyConfigured("ORKESTRA_ENCRYPTION_KEY is not set: no secret can be stored.")
    return found


def seal(purpose: str, text: str) -> str:
    """`v1:<key>:<nonce and ciphertext>` by the newest key; another purpose cannot open it."""
    key, nonce = ring()[0], secrets.token_bytes(NONCE_BYTES)
    sealed = nonce + key.cipher.encrypt(nonce, text.encode(), purpose.encode())
    return f"{VERSION}:{key.name}:{base64.urlsafe_b64encode(sealed).decode()}"


def unseal(purpose: str, stored: str) -> str:
    """The text again. Raises Unreadable."""
    try:
        version, name, text = stored.split(":")
        sealed = base64.urlsafe_b64decode(text)
    except ValueError:
        raise Unreadable("This is not an encrypted secret.") from None
    key = next((key for key in ring() if key.name == name), None)
    if version != VERSION or key is None:
        raise Unreadable(f"There is no key named {name[:16]!r}; is ORKESTRA_ENCRYPTION_KEY complete?")
    try:
        return key.cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], purpose.encode()).decode()
    except (InvalidTag, ValueError):
        raise Unreadable(f"A sealed field ({purpose}) was changed, or is one of another kind.") from None


def is_current(stored: str) -> bool:
    """Whether it is sealed by the newest key."""
    return stored.startswith(f"{VERSION}:{ring()[0].name}:")


def key_of(stored: str) -> str:
    """The name of the key that a stored secret needs."""
    return stored.split(":")[1] if stored.startswith(f"{VERSION}:") else ""
