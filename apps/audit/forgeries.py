"""What was forged becomes an entry, whatever becomes of the transaction around it.

A bound context that the database refused stands in the platform's log; a job without our signature in the log of the
tenant that it names, or the platform's where there is no such tenant. A refused statement has aborted the transaction
around it, so the entry is written by a thread with a connection of its own, before the error goes on.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

from django.db import connections, transaction

from apps.tenants.context import as_system
from apps.tenants.models import PLATFORM_TENANT_ID, Tenant
from apps.tenants.security_events import Kind
from apps.tenants.slots import SecurityEvent

from .actions import Target, record, record_platform

WAIT_SECONDS = 5.0
FORGED = {Kind.CONTEXT_FORGED.value, Kind.JOB_FORGED.value}
_here = threading.local()


def record_forgery(event: SecurityEvent) -> None:
    """Record what was forged, and where. Raises when it could not be written."""
    if event.kind not in FORGED or getattr(_here, "is_writing", False):
        return
    with ThreadPoolExecutor(max_workers=1) as writer:
        writer.submit(_write, event.kind, dict(event.facts)).result(timeout=WAIT_SECONDS)


def _write(kind: str, facts: dict[str, object]) -> None:
    _here.is_writing = True
    try:
        named = facts.get("tenant") if kind == Kind.JOB_FORGED else None
        if not (named and _written_to(UUID(str(named)), facts)):
            about = Target("installation", PLATFORM_TENANT_ID, "Orkestra")
            record_platform(
                "job.forged" if kind == Kind.JOB_FORGED else "context.forged", about, facts=facts, outcome="refused"
            )
    finally:
        connections.close_all()


def _written_to(tenant: UUID, facts: dict[str, object]) -> bool:
    """Whether there is such a tenant, whose log has it now."""
    with as_system(tenant), transaction.atomic():
        found = Tenant.objects.filter(pk=tenant).first()
        if found is not None:
            record("job.forged", found, facts=facts, outcome="refused")
    return found is not None
