"""What is signed about a log: checkpoints (c2sp.org/tlog-checkpoint), proofs as text, and receipts for single entries."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

RECEIPT = "orkestra-receipt/v1"
PROOF = "c2sp.org/tlog-proof@v1"


class BadStatement(ValueError):
    """The text is not what it should be."""


def text_of(hash_: bytes) -> str:
    """Base64, as in checkpoints and proofs."""
    return base64.b64encode(hash_).decode()


def hash_of(text: str) -> bytes:
    """The 32 bytes of a base64 hash. Raises BadStatement."""
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise BadStatement("a hash is not base64") from None
    if len(found) != 32 or text_of(found) != text:
        raise BadStatement("a hash is not 32 bytes long")
    return found


@dataclass(frozen=True)
class Head:
    """The size and root of a log, as a checkpoint names them."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """The signed part of the checkpoint."""
        return f"{self.origin}\n{self.size}\n{text_of(self.root)}\n"

    @classmethod
    def read(cls, text: str) -> Head:
        """From the signed part; extension lines are allowed and ignored. Raises BadStatement."""
        lines = text.split("\n")
        if len(lines) < 4 or not lines[0]:
            raise BadStatement("a checkpoint has at least three lines")
        number = lines[1]
        if not number.isascii() or not number.isdigit() or (number.startswith("0") and number != "0"):
            raise BadStatement("the size of a checkpoint is not a number")
        return cls(lines[0], int(number), hash_of(lines[2]))


@dataclass(frozen=True)
class Receipt:
    """That an entry with this leaf was committed; from then on it must be in the log of this origin."""

    origin: str
    entry: UUID
    leaf: bytes
    time: str

    def text(self) -> str:
        """The signed part of the receipt."""
        return f"{RECEIPT}\n{self.origin}\nentry {self.entry}\nleaf {text_of(self.leaf)}\ntime {self.time}\n"

    @classmethod
    def read(cls, text: str) -> Receipt:
        """From the signed part. Raises BadStatement."""
        lines = text.split("\n")
        if len(lines) != 6 or lines[0] != RECEIPT or lines[5]:
            raise BadStatement("this is not a receipt of version 1")
        values = []
        for line, label in zip(lines[2:5], ("entry", "leaf", "time"), strict=True):
            found, _space, value = line.partition(" ")
            if found != label:
                raise BadStatement(f"a receipt names its {label}")
            values.append(value)
        try:
            return cls(lines[1], UUID(values[0]), hash_of(values[1]), values[2])
        except ValueError:
            raise BadStatement("a receipt names an entry by its id") from None


def proof_text(index: int, proof: Sequence[bytes], checkpoint: str) -> str:
    """An inclusion proof as c2sp.org/tlog-proof has it."""
    hashes = "".join(f"{text_of(part)}\n" for part in proof)
    return f"{PROOF}\nindex {index}\n{hashes}\n{checkpoint}"


def consistency_text(old: int, proof: Sequence[bytes]) -> str:
    """A consistency proof as c2sp.org/tlog-witness has it: `old N` and the hashes."""
    return f"old {old}\n" + "".join(f"{text_of(part)}\n" for part in proof)
