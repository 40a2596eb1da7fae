"""What a backup says of itself, and whether its parts still are what it says."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

FORMAT = 1
DUMP, FILES, MANIFEST, VERIFIED = "database.dump", "files.tar", "manifest.json", "verified"
CHUNK_BYTES = 1024 * 1024


class Damaged(Exception):
    """The backup is not what it was; the message names the part."""


@dataclass(frozen=True)
class Manifest:
    """`heads` is tenant id -> [seq, chain hex] of each audit log; `rows` table -> count; `parts` file -> SHA-256."""

    made_at: str
    server: int
    migrations: list[list[str]]
    rows: dict[str, int]
    heads: dict[str, list[Any]]
    files: int
    parts: dict[str, str]
    format: int = FORMAT

    @property
    def moment(self) -> datetime:
        return datetime.fromisoformat(self.made_at)

    def write(self, folder: Path) -> None:
        (folder / MANIFEST).write_text(json.dumps(asdict(self), indent=1, sort_keys=True))


def read(folder: Path) -> Manifest:
    """The manifest of a backup. Raises Damaged."""
    try:
        found = json.loads((folder / MANIFEST).read_text())
        if found.get("format") != FORMAT:
            raise Damaged(f"{folder.name}: its format is not {FORMAT}.")
        return Manifest(**found)
    except (OSError, ValueError, TypeError) as error:
        raise Damaged(f"{folder.name}: the manifest cannot be read ({type(error).__name__}).") from None


def check(folder: Path) -> Manifest:
    """Compare every part with its SHA-256. Raises Damaged naming the first that differs."""
    manifest = read(folder)
    for name, expected in manifest.parts.items():
        try:
            found = sha256(folder / name)
        except OSError:
            raise Damaged(f"{folder.name}: {name} is missing.") from None
        if found != expected:
            raise Damaged(f"{folder.name}: {name} is not what was written; its SHA-256 differs.")
    if set(manifest.parts) != {DUMP, FILES}:
        raise Damaged(f"{folder.name}: the manifest does not name both parts.")
    return manifest


def sha256(path: Path) -> str:
    """Hex SHA-256 of a file, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def all_in(folder: Path) -> list[Path]:
    """Finished backups, oldest first; their names sort by time."""
    return sorted(path for path in folder.glob("orkestra-*") if (path / MANIFEST).is_file())


def latest(folder: Path) -> Path | None:
    """The newest finished backup."""
    found = all_in(folder)
    return found[-1] if found else None
