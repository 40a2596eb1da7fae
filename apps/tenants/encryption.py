"""Fields that are stored encrypted: sealed under a key of their own purpose, readable again after a rotation.

Fernet (AES-128-CBC with HMAC-SHA-256); the key of each purpose is derived by HKDF from the installation's secret. What an
earlier secret sealed is still opened as long as that one stands in ORKESTRA_SECRET_KEY_OLD.
"""

from __future__ import annotations

import base64
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings


class Unreadable(Exception):
    """What is stored was sealed under another key, or was changed."""


def seal(purpose: str, text: str) -> str:
    """Encrypt under the present key of a purpose; another purpose cannot open it."""
    return _ring(purpose).encrypt(text.encode()).decode()


def unseal(purpose: str, sealed: str) -> str:
    """The text again. Raises Unreadable."""
    try:
        return _ring(purpose).decrypt(sealed.encode()).decode()
    except (InvalidToken, ValueError):
        raise Unreadable(f"A sealed field ({purpose}) cannot be read with the keys of this installation.") from None


def _ring(purpose: str) -> MultiFernet:
    keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return MultiFernet([_cipher(key, purpose) for key in keys])


@lru_cache(maxsize=64)
def _cipher(secret: str, purpose: str) -> Fernet:
    derived = HKDF(SHA256(), 32, salt=None, info=f"orkestra {purpose}".encode()).derive(secret.encode())
    return Fernet(base64.urlsafe_b64encode(derived))
