"""Taking a tenant's data out: asked for by a person, made by a job, given out after a check and a note in the log."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models, transaction
from django.utils.translation import gettext as _

from apps.accounts.models import Member
from apps.audit.actions import record
from apps.tenants import clock
from apps.tenants.context import current_tenant, refuse_support, require
from apps.tenants.freshness import require_fresh
from apps.tenants.jobs import defer
from apps.tenants.models import Tenant
from apps.tenants.refusals import Conflict, NotFound, Refused

from ..export import TABLES, Table
from ..models import Export, ExportState
from ..store import pieces

log = structlog.get_logger(__name__)
KEPT = timedelta(days=7)
BATCH = 500
GIVEN_UP_AFTER = timedelta(hours=1)


@transaction.atomic
def ask_for_export(*, by: Member) -> Export:
    """Queue one export. Raises Forbidden, NotFresh for a sign-in that is too old, Conflict while another is made."""
    require("data.export")
    refuse_support()
    require_fresh("export.ask")
    Tenant.objects.select_for_update().get(pk=current_tenant())  # two who ask at once get one
    waiting = Export.objects.filter(state__in=[ExportState.QUEUED, ExportState.RUNNING])
    if waiting.filter(created_at__gt=clock.now() - GIVEN_UP_AFTER).exists():
        raise Conflict(_("An export is being made; it is listed below."))
    made = Export.objects.create(requested_by=by, expires_at=clock.now() + KEPT)
    record("export.asked", made)
    defer("forms.make_export", export_id=str(made.pk))
    defer("forms.drop_export", after_seconds=int(KEPT.total_seconds()), export_id=str(made.pk))
    return made


def make_export(pk: UUID) -> None:
    """Write the ZIP, telling how far it is; a run that was cut short starts anew, a failure is said on the page."""
    found = Export.objects.filter(pk=pk, state__in=[ExportState.QUEUED, ExportState.RUNNING]).first()
    if found is None:
        return
    found.state, found.done, found.total = ExportState.RUNNING, 0, sum(table.rows().count() for table in TABLES)
    found.save()
    try:
        found.sha256, found.size = _write(found)
    except Exception:
        # Whatever went wrong, the person who waits must read that it did; the log says why.
        log.exception("export_failed", export=str(pk))
        found.state, found.finished_at = ExportState.FAILED, clock.now()
    else:
        found.state, found.finished_at = ExportState.DONE, clock.now()
    with transaction.atomic():
        found.save()
        outcome = "done" if found.state == ExportState.DONE else "failed"
        record("export.made", found, facts={"bytes": found.size, "sha256": found.sha256}, outcome=outcome)


def drop_export(pk: UUID) -> None:
    """Delete the file when its time is over; the row stays and says that there was one."""
    found = Export.objects.filter(pk=pk).exclude(state=ExportState.DROPPED).first()
    if found is None:
        return
    path_of(found).unlink(missing_ok=True)
    with transaction.atomic():
        found.state = ExportState.DROPPED
        found.save()
        record("export.dropped", found)


def download_export(found: Export, *, by: Member) -> Path:
    """The ZIP's place, after its bytes were hashed again and the download was recorded.

    Raises Forbidden, NotFresh as asking for it does, NotFound, Refused for a damaged file.
    """
    require("data.export")
    refuse_support()
    require_fresh("export.ask")
    if found.state != ExportState.DONE or found.expires_at <= clock.now():
        raise NotFound()
    place = path_of(found)
    if not place.is_file() or _sha256(place) != found.sha256:
        raise Refused(_("This file is damaged and is not given out; ask for a new export."), code="corrupt")
    with transaction.atomic():
        record("export.downloaded", found, facts={"sha256": found.sha256})
    return place


def path_of(found: Export) -> Path:
    """Where an export lies: the tenant's own folder, closed to other users of the machine."""
    return Path(settings.EXPORTS_ROOT) / str(found.tenant_id) / f"{found.pk}.zip"


def _write(found: Export) -> tuple[str, int]:
    """Write the whole ZIP beside its place and move it there; returns hex SHA-256 and bytes."""
    place = path_of(found)
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for left in place.parent.glob(f".{found.pk}-*"):
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=place.parent, prefix=f".{found.pk}-") as folder:
        partial = Path(folder) / "export.zip"
        counts: dict[str, int] = {}
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
            for table in TABLES:
                counts[table.name] = _write_table(archive, table, found)
            archive.writestr("manifest.json", json.dumps(_manifest(found, counts), indent=2))
        partial.chmod(0o600)
        os.replace(partial, place)
    return _sha256(place), place.stat().st_size


def _write_table(archive: zipfile.ZipFile, table: Table, found: Export) -> int:
    """One file of JSON lines, in batches, each counted into the progress."""
    count = 0
    with archive.open(f"{table.name}.jsonl", "w", force_zip64=True) as file:
        for rows in _batches(table.rows()):
            for row in rows:
                line = json.dumps(table.as_json(row), cls=DjangoJSONEncoder, ensure_ascii=False)
                file.write(line.encode() + b"\n")
            count += len(rows)
            Export.objects.filter(pk=found.pk).update(done=models.F("done") + len(rows))
    found.done += count
    return count


def _batches(rows: Any) -> Iterator[list[Any]]:
    after: UUID | None = None
    while batch := list((rows.filter(pk__gt=after) if after else rows).order_by("pk")[:BATCH]):
        yield batch
        after = batch[-1].pk


def _manifest(found: Export, counts: dict[str, int]) -> dict[str, Any]:
    tenant = Tenant.objects.get(pk=current_tenant())
    return {
        "format": "orkestra-export/1",
        "tenant": {"id": str(tenant.pk), "slug": tenant.slug, "name": tenant.name},
        "export": str(found.pk),
        "made_at": clock.now().isoformat(),
        "rows": counts,
        "note": "One JSON object a line. Files are listed in attachments.jsonl, not included; the audit log has an export of its own.",
    }


def _sha256(place: Path) -> str:
    hashed = hashlib.sha256()
    for piece in pieces(place):
        hashed.update(piece)
    return hashed.hexdigest()
