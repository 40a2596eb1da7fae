"""Bytes of attachments: below their SHA-256 in the tenant's own folder, written whole or not at all."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from uuid import UUID

from django.conf import settings
from django.utils.translation import gettext as _

from apps.tenants.refusals import Invalid, TooLarge, Unavailable

CHUNK_BYTES = 64 * 1024
LONGEST_NAME = 200
HEAD_BYTES = 8192
PARTIAL, UNREFERENCED = ".partial-", ".unreferenced-"
ZIP = b"PK\x03\x04"
# extension -> (content type, what the first bytes must be; empty means text)
TYPES: dict[str, tuple[str, tuple[bytes, ...]]] = {
    "pdf": ("application/pdf", (b"%PDF-",)),
    "png": ("image/png", (b"\x89PNG\r\n\x1a\n",)),
    "jpg": ("image/jpeg", (b"\xff\xd8\xff",)),
    "jpeg": ("image/jpeg", (b"\xff\xd8\xff",)),
    "gif": ("image/gif", (b"GIF87a", b"GIF89a")),
    "docx": ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", (ZIP,)),
    "xlsx": ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", (ZIP,)),
    "pptx": ("application/vnd.openxmlformats-officedocument.presentationml.presentation", (ZIP,)),
    "odt": ("application/vnd.oasis.opendocument.text", (ZIP,)),
    "ods": ("application/vnd.oasis.opendocument.spreadsheet", (ZIP,)),
    "txt": ("text/plain", ()),
    "csv": ("text/csv", ()),
}


@dataclass(frozen=True)
class Stored:
    """What was written: hex SHA-256, bytes, and the type that extension and content agree on."""

    sha256: str
    size: int
    content_type: str


class Corrupt(Exception):
    """The stored bytes are not those that were uploaded."""


def clean_name(name: str) -> str:
    """The last part of a file name, without control characters, its extension kept. Never used as a path."""
    last = PurePosixPath(name.replace("\\", "/")).name
    kept = "".join(char for char in last if char.isprintable() and char not in '"<>|').strip(" .") or "file"
    stem, dot, extension = kept.rpartition(".")
    return kept if len(kept) <= LONGEST_NAME else f"{stem[: LONGEST_NAME - len(extension) - 1]}{dot}{extension}"


def content_type_of(name: str, head: bytes) -> str:
    """The type that both the extension and the first bytes say. Raises Invalid for `file`."""
    extension = name.rpartition(".")[2].lower()
    if extension not in TYPES:
        known = ", ".join(sorted(TYPES))
        raise Invalid(
            {"file": [_("%(name)s: only these kinds of file are taken: %(known)s.") % {"name": name, "known": known}]}
        )
    content_type, starts = TYPES[extension]
    fits = head.startswith(starts) if starts else _is_text(head)
    if not fits:
        raise Invalid({"file": [_("%(name)s is not what its name says.") % {"name": name}]})
    return content_type


def _is_text(head: bytes) -> bool:
    try:
        head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return error.start > len(head) - 4 and len(head) == HEAD_BYTES
    return b"\x00" not in head


def write(tenant: UUID, name: str, chunks: Iterable[bytes]) -> Stored:
    """Store a file. Raises TooLarge, Invalid for what it is, Unavailable when the disk does not take it."""
    folder = root(tenant)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=PARTIAL, delete=False) as file:
            partial = Path(file.name)
            try:
                digest, size, head = _copy(file, chunks)
                content_type = content_type_of(name, head)
                file.flush()
                os.fsync(file.fileno())
                place = path_of(tenant, digest)
                place.parent.mkdir(mode=0o700, exist_ok=True)
                partial.replace(place)
                mark_of(place).unlink(missing_ok=True)
            finally:
                partial.unlink(missing_ok=True)
    except OSError as error:
        raise Unavailable(_("The file could not be stored; nothing was kept. Try again in a minute.")) from error
    return Stored(digest, size, content_type)


def _copy(file: object, chunks: Iterable[bytes]) -> tuple[str, int, bytes]:
    hashed, size, head = hashlib.sha256(), 0, b""
    for chunk in chunks:
        size += len(chunk)
        if size > settings.ATTACHMENT_MAX_BYTES:
            limit = settings.ATTACHMENT_MAX_BYTES // (1024 * 1024)
            raise TooLarge(_("A file may have at most %(n)s MB.") % {"n": limit})
        head = (head + chunk)[:HEAD_BYTES] if len(head) < HEAD_BYTES else head
        hashed.update(chunk)
        file.write(chunk)  # type: ignore[attr-defined]
    return hashed.hexdigest(), size, head


def read(tenant: UUID, sha256: str) -> Path:
    """The file, after its bytes were hashed again. Raises Corrupt when they changed or are gone."""
    place = path_of(tenant, sha256)
    hashed = hashlib.sha256()
    try:
        for chunk in pieces(place):
            hashed.update(chunk)
    except OSError:
        raise Corrupt(sha256) from None
    if hashed.hexdigest() != sha256:
        raise Corrupt(sha256)
    return place


def pieces(place: Path) -> Iterator[bytes]:
    with place.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def root(tenant: UUID) -> Path:
    """The tenant's own folder."""
    return Path(settings.ATTACHMENTS_ROOT) / str(UUID(str(tenant)))


def path_of(tenant: UUID, sha256: str) -> Path:
    """Where bytes of this hash lie. Raises ValueError for what is no hash, so that no name ever becomes a path."""
    if len(sha256) != 64 or set(sha256) - set("0123456789abcdef"):
        raise ValueError("not a SHA-256")
    return root(tenant) / sha256[:2] / sha256


def places(tenant: UUID) -> list[Path]:
    """Every whole file of the tenant."""
    return [path for path in root(tenant).glob("??/*") if not path.name.startswith(".")]


def partials(tenant: UUID) -> list[Path]:
    """What is being written, and what was when its process ended."""
    return list(root(tenant).glob(f"{PARTIAL}*"))


def mark_of(place: Path) -> Path:
    """The empty file that says since when no row refers to this one."""
    return place.with_name(f"{UNREFERENCED}{place.name}")
