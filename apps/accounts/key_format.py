"""How an API key is written: `ork_`, 32 random letters and digits, and six that are their checksum.

The fixed start and the checksum let scanners of leaked secrets find keys, and us refuse a mistyped one unasked.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import string
import zlib

PREFIX = "ork_"
ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
RANDOM, CHECKSUM = 32, 6
PATTERN = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{RANDOM + CHECKSUM}}}")


def make_key() -> str:
    """A fresh key of 190 random bits."""
    body = "".join(secrets.choice(ALPHABET) for _ in range(RANDOM))
    return PREFIX + body + checksum(body)


def is_well_formed(text: str) -> bool:
    """Whether this can be a key of ours at all."""
    body = text[len(PREFIX) : len(PREFIX) + RANDOM]
    return bool(PATTERN.fullmatch(text)) and secrets.compare_digest(text[-CHECKSUM:], checksum(body))


def checksum(body: str) -> str:
    """CRC-32 of the random part, in base 62."""
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(CHECKSUM):
        number, rest = divmod(number, len(ALPHABET))
        digits = ALPHABET[rest] + digits
    return digits


def shown(key: str) -> str:
    """What is kept to recognise a key by: its start and its end."""
    return f"{key[: len(PREFIX) + 4]}…{key[-4:]}"


def digest(key: str) -> bytes:
    """What is stored: SHA-256, which suffices for 190 random bits."""
    return hashlib.sha256(key.encode()).digest()
