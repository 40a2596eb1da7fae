"""Random secrets, each in a file that only its owner reads, made once."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat


def keep(path: Path, text: str) -> None:
    """Write a file with mode 0600 in one step: a crash leaves the old one or the new one."""
    partial = path.with_name(path.name + ".partial")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def secret(folder: Path, name: str) -> str:
    """The secret of this name: 256 random bits, URL-safe."""
    path = folder / name
    if not path.exists():
        keep(path, secrets.token_urlsafe(32) + "\n")
    return path.read_text().strip()


def signing_key(folder: Path) -> Path:
    """The file of the Ed25519 key that signs access tokens, PEM."""
    return _ed25519(folder / "signing.pem")


def audit_key(folder: Path) -> Path:
    """The file of the Ed25519 key that signs audit checkpoints and receipts, PEM."""
    return _ed25519(folder / "audit.pem")


def encryption_key(folder: Path) -> Path:
    """The file of the keys that encrypt stored secrets, newest first."""
    secret(folder, "encryption")
    return folder / "encryption"


def _ed25519(path: Path) -> Path:
    if not path.exists():
        key = Ed25519PrivateKey.generate()
        keep(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())
    return path
