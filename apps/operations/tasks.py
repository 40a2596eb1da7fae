"""The jobs of monitoring."""

from __future__ import annotations

from apps.tenants.jobs import periodic_task

from . import observe


@periodic_task(name="operations.probe_all", cron="*/5 * * * *", queue="operations")
def probe_all(timestamp: int) -> None:
    """Every claim's probe, for the metrics; and what is too old goes."""
    observe.probe_all()
    observe.forget_old()
