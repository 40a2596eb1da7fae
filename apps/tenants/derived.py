"""Keys of one purpose each, derived from the installation's secret (HKDF-SHA-256, RFC 5869)."""

from __future__ import annotations

import base64
from functools import lru_cache

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings


def derived_key(purpose: str) -> bytes:
    """32 bytes that only this purpose uses."""
    return _derive(settings.SECRET_KEY, purpose)


def derived_keys(purpose: str) -> list[bytes]:
    """The key of this purpose by the newest secret, and by each earlier one that is still configured."""
    return [_derive(secret, purpose) for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)]


def sealer(purpose: str) -> Fernet:
    """Encrypts and authenticates what is stored for this purpose."""
    return Fernet(base64.urlsafe_b64encode(derived_key(purpose)))


@lru_cache(maxsize=32)
def _derive(secret: str, purpose: str) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=f"orkestra {purpose}".encode()).derive(secret.encode())
