"""A bound context that the database refused becomes an entry of the platform's log, whatever becomes of its transaction.

The refused statement has aborted the transaction around it, so the entry is written by a thread with a connection of its
own, before the error goes on.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from django.db import connections

from apps.tenants.models import PLATFORM_TENANT_ID
from apps.tenants.security_events import Kind
from apps.tenants.slots import SecurityEvent

from .actions import Target, record_platform

WAIT_SECONDS = 5.0
_here = threading.local()


def record_forgery(event: SecurityEvent) -> None:
    """Record a refused context: why, under which role, and whose request it was. Raises when it could not be written."""
    if event.kind != Kind.CONTEXT_FORGED or getattr(_here, "is_writing", False):
        return
    with ThreadPoolExecutor(max_workers=1) as writer:
        writer.submit(_write, dict(event.facts)).result(timeout=WAIT_SECONDS)


def _write(facts: dict[str, object]) -> None:
    _here.is_writing = True
    about = Target("installation", PLATFORM_TENANT_ID, "Orkestra")
    try:
        record_platform("context.forged", about, facts=facts, outcome="refused")
    finally:
        connections.close_all()
