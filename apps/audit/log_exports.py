"""Exports of exactly what the filters name, as CSV or JSON lines: asked for by a person, made by a job, kept for a week.

A file holds what was recorded up to the moment it was asked for. Addresses and browsers, which can be erased, are in one
format alone: the bundle for the verifier, which asks for a fresh sign-in, is kept for a day, and goes with any erasure.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import IO, Any
from urllib.parse import parse_qsl
from uuid import UUID
from zoneinfo import ZoneInfo

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from apps.tenants import clock
from apps.tenants.context import current_tenant, refuse_support, require
from apps.tenants.freshness import require_fresh
from apps.tenants.jobs import defer
from apps.tenants.models import Tenant
from apps.tenants.refusals import Conflict, NotFound, Refused, Text
from apps.tenants.slots import slots

from .actions import record
from .bundle import Bundle, stream
from .filters import EntryFilter
from .models import LATEST, Entry, EntryQuerySet, LogExport
from .proofs import fresh_checkpoint
from .saved import worded
from .sealer import seal
from .viewing import as_told

log = structlog.get_logger(__name__)
KEPT = timedelta(days=7)
PRIVATE = "zip"
PRIVATE_KEPT = timedelta(days=1)
BATCH = 1000
CHUNK_BYTES = 64 * 1024
GIVEN_UP_AFTER = timedelta(hours=1)
FORMATS = ("csv", "jsonl", PRIVATE)
COLUMNS = (
    "seq", "time", "action", "what", "actor_type", "actor_id", "actor", "on_behalf_of", "target_type", "target_id", "target",
    "outcome", "request_id", "credential", "facts",
)  # fmt: skip
# A spreadsheet takes a cell that begins so for a formula (OWASP: CSV injection), the wide forms too.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


@transaction.atomic
def ask(asked: EntryFilter, format_: str, *, by: UUID) -> LogExport:
    """Queue one export. Raises Forbidden, Refused for filters or a format that cannot be, Conflict while one is made.

    One with private values raises NotFresh for a sign-in that is too old.
    """
    require("audit.read")
    refuse_support()
    if format_ not in FORMATS or not asked.is_valid():
        raise Refused(_("Choose CSV or JSON lines, and filters that can be read."))
    if format_ == PRIVATE:
        require_fresh("log_export.private")
    Tenant.objects.select_for_update().get(pk=current_tenant())  # two who ask at once get one
    waiting = LogExport.objects.filter(state__in=LogExport.WAITING, created_at__gt=clock.now() - GIVEN_UP_AFTER)
    if waiting.exists():
        raise Conflict(_("An export is being made; it is listed below."))
    kept = PRIVATE_KEPT if format_ == PRIVATE else KEPT
    made = LogExport.objects.create(
        requested_by=by, query=urlencode(asked.asked), format=format_, expires_at=clock.now() + kept
    )
    facts = {"filters": as_told(asked.asked), "format": format_, "private": format_ == PRIVATE}
    record("log_export.asked", made, facts=facts)
    defer("audit.make_log_export", export_id=str(made.pk))
    defer("audit.drop_log_export", after_seconds=int(kept.total_seconds()), export_id=str(made.pk))
    return made


def make(pk: UUID) -> None:
    """Write the file, telling how far it is; a run that was cut short starts anew, a failure is said on the page."""
    found = LogExport.objects.filter(pk=pk, state__in=LogExport.WAITING).first()
    if found is None:
        return
    try:
        seal(current_tenant())
        rows = rows_for(found)
        found.state, found.done, found.total = LogExport.State.RUNNING, 0, rows.count()
        found.save()
        found.sha256, found.size = _write(found, rows)
        found.state = LogExport.State.DONE
    except Exception:
        # Whatever went wrong, the person who waits must read that it did; the operators' log says why.
        log.exception("log_export_failed", export=str(pk))
        found.state = LogExport.State.FAILED
    found.finished_at = clock.now()
    with transaction.atomic():
        if not LogExport.objects.select_for_update().filter(pk=pk, state__in=LogExport.WAITING).exists():
            path_of(found).unlink(missing_ok=True)  # dropped meanwhile, as an erasure does
            return
        found.save()
        outcome = "done" if found.state == LogExport.State.DONE else "failed"
        facts = {"bytes": found.size, "sha256": found.sha256, "entries": found.done}
        record("log_export.made", found, facts=facts, outcome=outcome)


def drop(pk: UUID) -> None:
    """Delete the file when its time is over; the row stays and says that there was one, but not what was typed for it."""
    with transaction.atomic():
        rows = LogExport.objects.select_for_update().filter(pk=pk)
        found = rows.exclude(state=LogExport.State.DROPPED).first()
        if found is None:
            return
        path_of(found).unlink(missing_ok=True)
        found.state, found.query = LogExport.State.DROPPED, ""
        found.save()
        record("log_export.dropped", found)


def drop_private() -> int:
    """Delete every file of the tenant in force that holds addresses and browsers, as an erasure asks; returns how many."""
    Tenant.objects.select_for_update().get(pk=current_tenant())  # whoever asks for one now waits
    rows = LogExport.objects.filter(format=PRIVATE).exclude(state__in=(LogExport.State.DROPPED, LogExport.State.FAILED))
    dropped = list(rows.values_list("pk", flat=True))
    for pk in dropped:
        drop(pk)
    return len(dropped)


def download(found: LogExport) -> Path:
    """The file's place, after its bytes were hashed again and the download was recorded.

    Raises NotFound, Refused, and for private values NotFresh.
    """
    require("audit.read")
    refuse_support()
    if found.format == PRIVATE:
        require_fresh("log_export.private")
    if found.state != LogExport.State.DONE or found.expires_at <= clock.now():
        raise NotFound()
    place = path_of(found)
    if not place.is_file() or _sha256(place) != found.sha256:
        raise Refused(_("This file is damaged and is not given out; ask for a new export."), code="corrupt")
    with transaction.atomic():
        record("log_export.downloaded", found, facts={"sha256": found.sha256})
    return place


def path_of(found: LogExport) -> Path:
    """Where it lies: the tenant's own folder, closed to other users of the machine."""
    return Path(settings.EXPORTS_ROOT) / str(found.tenant_id) / f"log-{found.pk}.{found.format}"


def rows_for(found: LogExport) -> EntryQuerySet:
    """What its filters name, up to the moment it was asked for."""
    zone = ZoneInfo(Tenant.objects.values_list("timezone", flat=True).get(pk=current_tenant()))
    asked = EntryFilter(dict(parse_qsl(found.query)), zone=zone)
    rows = asked.apply(Entry.objects.all())
    return rows.filter(time__lte=found.created_at)


def described(exports: list[LogExport]) -> list[tuple[LogExport, str, list[tuple[Text, Text]]]]:
    """Each with the name of whoever asked for it, and its filters in words."""
    names = slots.actor_names({one.requested_by for one in exports})
    return [(one, names.get(one.requested_by, ""), worded(dict(parse_qsl(one.query)))) for one in exports]


def cell(value: Any) -> str:
    """A value as a cell that no spreadsheet runs."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(FORMULA) else text


def _write(found: LogExport, rows: EntryQuerySet) -> tuple[str, int]:
    """Write the whole file beside its place and move it there; returns hex SHA-256 and bytes."""
    place = path_of(found)
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for left in place.parent.glob(f".log-{found.pk}-*"):
        left.unlink(missing_ok=True)
    with tempfile.NamedTemporaryFile(dir=place.parent, prefix=f".log-{found.pk}-", delete=False) as file:
        partial = Path(file.name)
        try:
            _write_rows(found, rows, file)
            file.flush()
            os.fsync(file.fileno())
            partial.chmod(0o600)
            partial.replace(place)
        finally:
            partial.unlink(missing_ok=True)
    return _sha256(place), place.stat().st_size


def _write_rows(found: LogExport, rows: EntryQuerySet, file: IO[bytes]) -> None:
    if found.format == PRIVATE:
        return _write_bundle(found, rows, file)
    if found.format == "csv":
        file.write(_lines([COLUMNS]))
    for batch in _batches(rows):
        file.write(_lines(_cells(batch)) if found.format == "csv" else b"".join(_json(entry) for entry in batch))
        found.done += len(batch)
        _tell(found, found.done)


def _write_bundle(found: LogExport, rows: EntryQuerySet, file: IO[bytes]) -> None:
    """What the verifier takes, private values with it; without filters the whole log, up to a checkpoint made now."""
    filters = dict(parse_qsl(found.query))
    asked = rows if filters else Entry.objects.all()
    bundle = Bundle(asked, fresh_checkpoint(), filters, private=True, told=lambda done: _tell(found, done))
    if not filters:
        found.total = bundle.checkpoint.size - bundle.pruned_until
        LogExport.objects.filter(pk=found.pk).update(total=found.total)
    for piece in stream(bundle):
        file.write(piece)


def _tell(found: LogExport, done: int) -> None:
    found.done = done
    LogExport.objects.filter(pk=found.pk).update(done=done)


def _batches(rows: EntryQuerySet) -> Iterator[list[Entry]]:
    """All rows, the oldest first, a thousand at a time by their place in the order."""
    rows = rows.order_by("time", "id").prefetch_related("seals")
    batch = list(rows[:BATCH])
    while batch:
        yield batch
        last = batch[-1]
        if last.time >= LATEST:  # no time of an act; nothing is after it, and asking would never end
            return
        batch = list(rows.filter(Q(time__gte=last.time) & (Q(time__gt=last.time) | Q(id__gt=last.pk)))[:BATCH])


def _cells(batch: list[Entry]) -> Iterator[list[str]]:
    names = slots.actor_names({entry.actor_id for entry in batch if entry.actor_id})
    for entry in batch:
        said = entry.document
        values = [
            _seq(entry), said["time"], entry.action, entry.title, entry.actor_type, entry.actor_id,
            names.get(entry.actor_id, "") if entry.actor_id else "", entry.on_behalf_of, entry.target_type,
            entry.target_id, entry.target_label, entry.outcome, entry.request_id, said.get("credential"),
            json.dumps(said.get("facts", {}), ensure_ascii=False, sort_keys=True),
        ]  # fmt: skip
        yield [cell(value) for value in values]


def _lines(rows: Any) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def _json(entry: Entry) -> bytes:
    """The place in the chain and the exact bytes that were hashed."""
    return b'{"seq":%s,"entry":%s}\n' % (
        str(_seq(entry) if _seq(entry) is not None else "null").encode(),
        bytes(entry.body),
    )


def _seq(entry: Entry) -> int | None:
    place = next(iter(entry.seals.all()), None)  # type: ignore[attr-defined]
    return place.seq if place else None


def _sha256(place: Path) -> str:
    hashed = hashlib.sha256()
    with place.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            hashed.update(chunk)
    return hashed.hexdigest()
