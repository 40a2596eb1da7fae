"""Places outside the database that keep bytes under names: a folder, or an S3 bucket with object lock.

Nothing that a place does holds us up for more than some seconds or fills the memory: a file system over a network may
hang for ever, and a server may let its answer drip.
"""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import parse_qs, urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from apps.tenants import clock

T = TypeVar("T")
VARIABLE = "ORKESTRA_AUDIT_ANCHORS"
SECONDS = 8.0
MOST_WAITING = 4
PAGE = 1000


class Unreachable(Exception):
    """A place cannot be asked; the message tells which and why, for the operator alone."""


class TooLarge(Unreachable):
    """What lies under a name is larger than what it was asked for can be."""


class Keeper(Protocol):
    """What a kind of place does, however it fails and however long it takes."""

    @property
    def where(self) -> str:
        """Its address, for the operator."""

    def page(self, after: str) -> tuple[list[str], bool]:
        """Names that sort after one, in their order, and whether there are more."""

    def get(self, name: str, most: int) -> bytes:
        """The bytes under a name, cut after so many."""

    def put(self, name: str, data: bytes) -> None:
        """Keep bytes under a new name, whole or not at all."""


@dataclass(frozen=True)
class Folder:
    """A folder, best on another disk or machine.

    Names lie in folders by how they begin, at most some thousands in each, so that the newest are found without a look
    at all. Earlier versions kept them side by side; what they kept is still found.
    """

    where: str
    path: Path

    def page(self, after: str) -> tuple[list[str], bool]:
        return (sorted(_after(self.path, after)) if self.path.is_dir() else []), False

    def get(self, name: str, most: int) -> bytes:
        flat = self.path / name
        with (flat if flat.exists() else self._at(name)).open("rb") as file:
            return file.read(most)

    def put(self, name: str, data: bytes) -> None:
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        whole = self._at(name)
        whole.parent.mkdir(parents=True, exist_ok=True)
        partial = whole.with_name(f".{name}.partial")
        partial.write_bytes(data)
        partial.chmod(0o400)
        partial.rename(whole)

    def _at(self, name: str) -> Path:
        """`000001-000000012345.checkpoint` is one of the twelve thousands, below the first million."""
        return self.path / name[:13] / name[:16] / name


def _after(folder: Path | str, after: str) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                if entry.name >= after[: len(entry.name)]:
                    yield from _after(entry.path, after)
            elif entry.name > after:
                yield entry.name


@dataclass(frozen=True)
class Bucket:
    """An S3 bucket; with `days` each object is locked in compliance mode, so that nobody can take it back before."""

    where: str
    bucket: str
    prefix: str
    endpoint: str | None
    days: int

    def page(self, after: str) -> tuple[list[str], bool]:
        start = {"StartAfter": self.prefix + after} if after else {}
        answer = self._client().list_objects_v2(Bucket=self.bucket, Prefix=self.prefix, MaxKeys=PAGE, **start)
        names = [item["Key"].removeprefix(self.prefix) for item in answer.get("Contents", [])]
        if names and names[0] <= after:
            raise Unreachable("it does not list what comes after a name (StartAfter)")
        return names, bool(answer.get("IsTruncated")) and bool(names)

    def get(self, name: str, most: int) -> bytes:
        with closing(self._client().get_object(Bucket=self.bucket, Key=self.prefix + name)["Body"]) as body:
            return bytes(body.read(most))

    def put(self, name: str, data: bytes) -> None:
        lock: dict[str, Any] = {}
        if self.days:
            lock["ObjectLockMode"] = "COMPLIANCE"
            lock["ObjectLockRetainUntilDate"] = clock.now() + timedelta(days=self.days)
        self._client().put_object(
            Bucket=self.bucket, Key=self.prefix + name, Body=data, ChecksumAlgorithm="SHA256", **lock
        )

    def _client(self) -> Any:
        import boto3  # here, for it costs half a second and few installations use it
        from botocore.config import Config

        bounds = Config(connect_timeout=3, read_timeout=5, retries={"total_max_attempts": 2})
        return boto3.client("s3", endpoint_url=self.endpoint, config=bounds)


def _few() -> threading.BoundedSemaphore:
    return threading.BoundedSemaphore(MOST_WAITING)


# How many questions to a place may hang at once, by its address.
_hanging: defaultdict[str, threading.BoundedSemaphore] = defaultdict(_few)


@dataclass(frozen=True)
class Place:
    """Where anchors are kept; names sort by age. `number` counts from 1 as the configuration does; all raise Unreachable."""

    number: int
    kind: str
    keeper: Keeper

    @property
    def where(self) -> str:
        """Its address, for the operator."""
        return self.keeper.where

    @property
    def label(self) -> str:
        """What may be told to anybody: bucket-2."""
        return f"{self.kind}-{self.number}"

    def names(self, after: str = "") -> list[str]:
        """All names that sort after one, in their order."""
        found: list[str] = []
        more = True
        while more:
            page, more = self._within(partial(self.keeper.page, found[-1] if found else after))
            found += page
        return found

    def get(self, name: str, most: int) -> bytes:
        """The bytes under a name. Raises TooLarge where there are more."""
        data = self._within(partial(self.keeper.get, name, most + 1))
        if len(data) > most:
            raise TooLarge(f"{self.where}: {name} has more than {most} bytes")
        return data

    def put(self, name: str, data: bytes) -> None:
        """Keep bytes under a new name, whole or not at all."""
        self._within(partial(self.keeper.put, name, data))

    def _within(self, ask: Callable[[], T]) -> T:
        """What it answers in time. A question that hangs is left alone with its thread, and only a few may."""
        turn = _hanging[self.where]
        answer: Future[T] = Future()
        if not turn.acquire(blocking=False):
            raise Unreachable(f"{self.where}: {MOST_WAITING} questions hang already")

        def run() -> None:
            try:
                answer.set_result(ask())
            except Exception as fault:  # kinds of botocore have no base of their own
                answer.set_exception(fault)
            finally:
                turn.release()

        threading.Thread(target=run, daemon=True, name=f"anchors {self.label}").start()
        try:
            return answer.result(SECONDS)
        except TimeoutError:
            raise Unreachable(f"{self.where}: no answer within {SECONDS:.0f} seconds") from None
        except Exception as fault:
            raise Unreachable(f"{self.where}: {type(fault).__name__}: {fault}") from None


def places() -> list[Place]:
    """The places of the configuration. Raises ImproperlyConfigured."""
    return [place_of(text, number) for number, text in enumerate(settings.CONFIG.text(VARIABLE).split(), 1)]


def place_of(text: str, number: int = 1) -> Place:
    """The place that an address names. Raises ImproperlyConfigured."""
    parts = urlsplit(text)
    if parts.scheme == "file" and parts.path.startswith("/"):
        return Place(number, "folder", Folder(text, Path(parts.path)))
    if parts.scheme == "s3" and parts.netloc:
        asked = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        prefix = f"{parts.path.strip('/')}/".lstrip("/")
        days = asked.get("days", "0")
        if days.isdigit():
            where, endpoint = f"s3://{parts.netloc}/{prefix}", asked.get("endpoint")
            return Place(number, "bucket", Bucket(where, parts.netloc, prefix, endpoint, int(days)))
    raise ImproperlyConfigured(f"{VARIABLE}: {text!r} is neither file:///path nor s3://bucket/prefix?days=365.")
