"""The jobs of monitoring."""

from __future__ import annotations

from uuid import UUID

from apps.tenants.jobs import periodic_task, tenant_task

from . import observe, told
from .streams import sending


@periodic_task(name="operations.probe_all", cron="*/5 * * * *", queue="operations")
def probe_all(timestamp: int) -> None:
    """Every claim's probe, for the metrics; and what is too old goes."""
    observe.probe_all()
    observe.forget_old()


@periodic_task(name="operations.tell_heads", cron="23 5 * * *", queue="operations")
def tell_heads(timestamp: int) -> None:
    """The signed head of each log that has grown, to its owners by mail and to webhooks that ask for it."""
    told.tell_all()


@tenant_task(name="operations.send_stream", queue="streams")
def send_stream(*, stream_id: str) -> None:
    """Send what waits for one destination of the audit log; what fails is tried again when it is due."""
    sending.send(UUID(stream_id))


@tenant_task(name="operations.test_stream", queue="streams")
def test_stream(*, stream_id: str) -> None:
    """Send one destination its test."""
    sending.send_test(UUID(stream_id))
