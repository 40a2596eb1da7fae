"""Signed notes: the C2SP text format in which checkpoints and receipts are signed (c2sp.org/signed-note).

A text that ends with a newline, an empty line, and one line `— <name> <base64(key id ‖ signature)>` for each signature.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ED25519 = b"\x01"
KEY_ID_BYTES = 4
LARGEST_NOTE_BYTES = 64 * 1024
DASH = "— "


class BadNote(ValueError):
    """Not a signed note."""


class BadSignature(BadNote):
    """A signature by a known key does not fit the text."""


class Unsigned(BadNote):
    """No known key has signed the text."""


def raw_public(key: Ed25519PublicKey) -> bytes:
    """The 32 bytes of a public key."""
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def key_id(name: str, public: bytes) -> bytes:
    """The first 4 bytes of SHA-256(name ‖ 0x0A ‖ 0x01 ‖ public key)."""
    return hashlib.sha256(name.encode() + b"\n" + ED25519 + public).digest()[:KEY_ID_BYTES]


def verifier_key(name: str, public: bytes) -> str:
    """`<name>+<key id in hex>+<base64(0x01 ‖ public key)>`, what a verifier is given beforehand."""
    return f"{name}+{key_id(name, public).hex()}+{base64.b64encode(ED25519 + public).decode()}"


@dataclass(frozen=True)
class Signer:
    """A name and the key that signs for it."""

    name: str
    key: Ed25519PrivateKey

    def line(self, text: str) -> str:
        """The signature line over a text."""
        signature = key_id(self.name, raw_public(self.key.public_key())) + self.key.sign(text.encode())
        return f"{DASH}{self.name} {base64.b64encode(signature).decode()}\n"


@dataclass(frozen=True)
class Verifier:
    """A name and the public key that is trusted for it."""

    name: str
    public: bytes

    @property
    def id(self) -> bytes:
        return key_id(self.name, self.public)

    def check(self, text: str, signature: bytes) -> None:
        """Raises BadSignature."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text.encode())
        except InvalidSignature:
            raise BadSignature(f"the signature of {self.name} does not fit the text") from None


def verifiers(name: str, publics: Iterable[bytes]) -> list[Verifier]:
    """These public keys under one name."""
    return [Verifier(name, public) for public in publics]


def sign(text: str, signers: Iterable[Signer]) -> str:
    """The note: the text, which ends with a newline, and a line for each signer."""
    if not text.endswith("\n") or "\n\n" in text:
        raise ValueError("The text of a note ends with a newline and has no empty line.")
    return text + "\n" + "".join(signer.line(text) for signer in signers)


def split(note: str) -> tuple[str, list[tuple[str, bytes, bytes]]]:
    """The text, and (name, key id, signature) for each line, unverified. Raises BadNote."""
    if len(note) > LARGEST_NOTE_BYTES:
        raise BadNote("the note is too long")
    text, empty, lines = note.rpartition("\n\n")
    if not empty or not lines.endswith("\n"):
        raise BadNote("the note has no signatures")
    return text + "\n", [_signature(line) for line in lines[:-1].split("\n")]


def open_note(note: str, verifiers: Sequence[Verifier]) -> str:
    """The text of a note that a known key has signed; unknown keys are ignored. Raises BadNote and its kinds."""
    text, signatures = split(note)
    signed = False
    for name, identity, signature in signatures:
        for verifier in verifiers:
            if (verifier.name, verifier.id) == (name, identity):
                verifier.check(text, signature)
                signed = True
    if not signed:
        raise Unsigned("no known key has signed the note")
    return text


def _signature(line: str) -> tuple[str, bytes, bytes]:
    if not line.startswith(DASH):
        raise BadNote("a signature line does not start with a dash")
    name, _space, encoded = line.removeprefix(DASH).partition(" ")
    try:
        found = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise BadNote("a signature is not base64") from None
    if base64.b64encode(found).decode() != encoded:
        raise BadNote("a signature is not base64 as it should be")
    if not name or len(found) <= KEY_ID_BYTES:
        raise BadNote("a signature line is incomplete")
    return name, found[:KEY_ID_BYTES], found[KEY_ID_BYTES:]
