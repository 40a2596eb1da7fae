"""Keep the signed head of the instance log outside the database, and notice when the database is older than that.

One anchor covers all tenants, since each checkpoint of a tenant is a leaf of the instance log. Beside each anchor lie
the checkpoints that came since the one before, so that after a restore it can be said what is lost, log by log.
Places: a folder (`file:///path`), or an S3 bucket with object lock (`s3://bucket/prefix?endpoint=…&days=365`).
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

import structlog
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from apps.audit import keys, note
from apps.audit.checkpoints import NotSigned, newest_checkpoint
from apps.audit.models import Checkpoint, InstanceLeaf, Log
from apps.audit.statements import BadStatement, Head
from apps.tenants import clock
from apps.tenants.context import as_system
from apps.tenants.models import PLATFORM_TENANT_ID

log = structlog.get_logger(__name__)
VARIABLE = "ORKESTRA_AUDIT_ANCHORS"
HEAD, LEAVES = ".checkpoint", ".leaves.jsonl"
REFRESH_SECONDS = 30.0
PUBLISH_SECONDS = 60.0
LARGEST_BYTES = 64 * 1024


class Unreachable(Exception):
    """A place of anchors cannot be asked; the message tells which and why."""


class Place(Protocol):
    """Where anchors are kept; names sort by age."""

    @property
    def where(self) -> str:
        """Its address, for people."""

    def names(self) -> list[str]:
        """All names. Raises Unreachable."""

    def get(self, name: str) -> bytes:
        """The bytes under a name. Raises Unreachable."""

    def put(self, name: str, data: bytes) -> None:
        """Keep bytes under a new name, whole or not at all. Raises Unreachable."""


@dataclass(frozen=True)
class Folder:
    """A folder, best on another disk or machine; files are never overwritten."""

    where: str
    path: Path

    def names(self) -> list[str]:
        try:
            return sorted(path.name for path in self.path.iterdir()) if self.path.is_dir() else []
        except OSError as error:
            raise Unreachable(f"{self.where}: {error.strerror}") from None

    def get(self, name: str) -> bytes:
        try:
            return (self.path / name).read_bytes()
        except OSError as error:
            raise Unreachable(f"{self.where}: {error.strerror}") from None

    def put(self, name: str, data: bytes) -> None:
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            partial = self.path / f".{name}.partial"
            partial.write_bytes(data)
            partial.chmod(0o400)
            partial.rename(self.path / name)
        except OSError as error:
            raise Unreachable(f"{self.where}: {error.strerror}") from None


@dataclass(frozen=True)
class Bucket:
    """An S3 bucket; with `days` each object is locked in compliance mode, so that nobody can take it back before."""

    where: str
    bucket: str
    prefix: str
    endpoint: str | None
    days: int

    def names(self) -> list[str]:
        pages = self._call("get_paginator", "list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.prefix)
        try:
            return sorted(item["Key"].removeprefix(self.prefix) for page in pages for item in page.get("Contents", []))
        except Exception as error:
            raise Unreachable(f"{self.where}: {type(error).__name__}") from None

    def get(self, name: str) -> bytes:
        answer = self._call("get_object", Bucket=self.bucket, Key=self.prefix + name)
        return bytes(answer["Body"].read())

    def put(self, name: str, data: bytes) -> None:
        lock: dict[str, Any] = {}
        if self.days:
            lock["ObjectLockMode"] = "COMPLIANCE"
            lock["ObjectLockRetainUntilDate"] = clock.now() + timedelta(days=self.days)
        self._call(
            "put_object", Bucket=self.bucket, Key=self.prefix + name, Body=data, ChecksumAlgorithm="SHA256", **lock
        )

    def _call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        import boto3  # here, for it costs half a second and few installations use it
        from botocore.config import Config

        bounds = Config(connect_timeout=3, read_timeout=5, retries={"max_attempts": 2})
        try:
            return getattr(boto3.client("s3", endpoint_url=self.endpoint, config=bounds), name)(*args, **kwargs)
        except Exception as error:  # botocore's kinds have no base of their own
            raise Unreachable(f"{self.where}: {type(error).__name__}: {error}") from None


@dataclass(frozen=True)
class Anchor:
    """A head of the instance log as a place keeps it."""

    incarnation: int
    size: int
    root: bytes
    where: str
    name: str


def places() -> list[Place]:
    """The places of the configuration. Raises ImproperlyConfigured."""
    return [place_of(text) for text in settings.CONFIG.text(VARIABLE).split()]


def place_of(text: str) -> Place:
    """The place that an address names. Raises ImproperlyConfigured."""
    parts = urlsplit(text)
    if parts.scheme == "file" and parts.path.startswith("/"):
        return Folder(text, Path(parts.path))
    if parts.scheme == "s3" and parts.netloc:
        asked = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        prefix = f"{parts.path.strip('/')}/".lstrip("/")
        days = asked.get("days", "0")
        if days.isdigit():
            return Bucket(f"s3://{parts.netloc}/{prefix}", parts.netloc, prefix, asked.get("endpoint"), int(days))
    raise ImproperlyConfigured(f"{VARIABLE}: {text!r} is neither file:///path nor s3://bucket/prefix?days=365.")


def newest(place: Place) -> Anchor | None:
    """The newest anchor of a place that a key of ours has signed; others are passed over. Raises Unreachable."""
    for name in sorted((name for name in place.names() if name.endswith(HEAD)), reverse=True):
        if (found := _read(place, name)) is not None:
            return found
    return None


def _read(place: Place, name: str) -> Anchor | None:
    text = place.get(name)[:LARGEST_BYTES].decode(errors="replace")
    try:
        origin = text.split("\n", 1)[0]
        head = Head.read(note.open_note(text, keys.verifiers(origin)))
    except (note.BadNote, BadStatement) as fault:
        log.warning("anchor_passed_over", where=place.where, name=name, why=str(fault))
        return None
    number = head.origin.rpartition("/audit")[2].lstrip("/")
    return Anchor(int(number) if number.isdigit() else 1, head.size, head.root, place.where, name)


class _Known:
    """The newest anchor of each place that this process has seen; it never goes back, whatever the place says later."""

    anchors: dict[str, Anchor] = {}
    asked = -REFRESH_SECONDS


def anchored() -> list[Anchor]:
    """The newest anchor of each place, as of half a minute ago. Raises NotSigned while one was never reached."""
    if time.monotonic() - _Known.asked < REFRESH_SECONDS:
        return list(_Known.anchors.values())
    for place in places():
        try:
            found = newest(place)
        except Unreachable as fault:
            if place.where not in _Known.anchors:
                raise NotSigned(f"The anchors cannot be read, so nothing is signed: {fault}") from None
            continue
        known = _Known.anchors.get(place.where)
        if found and (known is None or (found.incarnation, found.size) > (known.incarnation, known.size)):
            _Known.anchors[place.where] = found
    _Known.asked = time.monotonic()
    return list(_Known.anchors.values())


def forget() -> None:
    """Ask every place anew the next time."""
    _Known.anchors, _Known.asked = {}, -REFRESH_SECONDS


def publish() -> list[str]:
    """Keep the newest head of the instance log in every place that has an older one; returns the places.

    A place that is ahead of us is left alone: the database is older than it says. Raises nothing for one that is away.
    """
    with as_system(PLATFORM_TENANT_ID):
        head = newest_checkpoint(Log.INSTANCE)
    written: list[str] = []
    if head is None:
        return written
    for place in places():
        try:
            if _publish_to(place, head):
                written.append(place.where)
        except Unreachable as fault:
            log.error("anchor_failed", where=place.where, why=str(fault))
    if written:
        _Known.asked = -REFRESH_SECONDS
    return written


def _publish_to(place: Place, head: Checkpoint) -> bool:
    number = head.origin.rpartition("/audit")[2].lstrip("/")
    incarnation = int(number) if number.isdigit() else 1
    last = newest(place)
    if last is not None and (last.incarnation, last.size) >= (incarnation, head.size):
        return False
    name = f"{incarnation:06d}-{head.size:012d}"
    since = last.size if last is not None and last.incarnation == incarnation else 0
    place.put(name + LEAVES, b"".join(_leaves(since, head.size)))
    place.put(name + HEAD, head.note.encode())
    return True


def _leaves(since: int, until: int) -> Iterable[bytes]:
    """The checkpoints of tenants at the places [since, until) of the instance log."""
    with as_system(PLATFORM_TENANT_ID):
        rows = InstanceLeaf.objects.filter(seq__gte=since, seq__lt=until).order_by("seq")
        found = list(rows.values_list("seq", "about", "checkpoint"))
    for seq, about, checkpoint in found:
        with as_system(about):
            text = Checkpoint.objects.filter(pk=checkpoint).values_list("note", flat=True).first()
        yield json.dumps({"place": seq, "checkpoint": text}, separators=(",", ":")).encode() + b"\n"


def lost(place: Place, since: int) -> dict[str, int]:
    """Of the checkpoints that a place holds beyond `since`: tenant -> the largest size that was signed."""
    found: dict[str, int] = {}
    for name in place.names():
        if not name.endswith(LEAVES) or int(name[7:19]) <= since:
            continue
        for line in place.get(name).splitlines():
            said = json.loads(line)
            if said["place"] < since or not said["checkpoint"]:
                continue
            head = Head.read(note.split(said["checkpoint"])[0])
            tenant = head.origin.partition("/audit/")[2].partition("/")[0]
            found[tenant] = max(found.get(tenant, 0), head.size)
    return found


_published = -PUBLISH_SECONDS


def beat() -> None:
    """Publish once a minute."""
    global _published
    if time.monotonic() - _published >= PUBLISH_SECONDS:
        _published = time.monotonic()
        if written := publish():
            log.info("anchored", places=written)
