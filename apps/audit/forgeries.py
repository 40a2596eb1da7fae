"""What was forged becomes an entry, whatever becomes of the transaction around it.

A bound context that the database refused stands in the platform's log; a job without our signature in the log of the
tenant that it names, or the platform's where there is no such tenant. A refused statement has aborted the transaction
around it, so the entry is written by a thread with a connection of its own, before the error goes on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

from django.db import connections, transaction

from apps.tenants.context import as_system
from apps.tenants.models import PLATFORM_TENANT_ID, Tenant
from apps.tenants.security_events import Kind
from apps.tenants.slots import SecurityEvent

from .actions import Target, record, record_platform

WAIT_SECONDS = 5.0
ABOUT = Target("installation", PLATFORM_TENANT_ID, "Orkestra")
_here = threading.local()


def record_forgery(event: SecurityEvent) -> None:
    """Record what was forged, and where. Raises when it could not be written."""
    write = WRITERS.get(event.kind)
    if write is None or getattr(_here, "is_writing", False):
        return
    with ThreadPoolExecutor(max_workers=1) as writer:
        writer.submit(_apart, write, dict(event.facts)).result(timeout=WAIT_SECONDS)


def _apart(write: Callable[[dict[str, object]], None], facts: dict[str, object]) -> None:
    _here.is_writing = True
    try:
        write(facts)
    finally:
        connections.close_all()


def _context(facts: dict[str, object]) -> None:
    record_platform("context.forged", ABOUT, facts=facts, outcome="refused")


def _job(facts: dict[str, object]) -> None:
    named = facts["tenant"]
    if named is not None and _told(UUID(str(named)), facts):
        return
    record_platform("job.forged", ABOUT, facts=facts, outcome="refused")


def _told(tenant: UUID, facts: dict[str, object]) -> bool:
    """Whether there is such a tenant, whose log has it now."""
    with as_system(tenant), transaction.atomic():
        found = Tenant.objects.filter(pk=tenant).first()
        if found is not None:
            record("job.forged", found, facts=facts, outcome="refused")
    return found is not None


WRITERS: dict[str, Callable[[dict[str, object]], None]] = {Kind.CONTEXT_FORGED: _context, Kind.JOB_FORGED: _job}
