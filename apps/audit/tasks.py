"""Whole walks over the logs, every hour and when somebody asked, and the jobs of exports."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from apps.tenants import clock
from apps.tenants.jobs import periodic_task, task_apart, tenant_task

from . import asked, log_exports


@periodic_task(name="audit.verify_all", cron="17 * * * *", queue="audit")
def verify_all(timestamp: int) -> None:
    """Verify every tenant's log and look for acts that it does not tell of; monitoring sees what is found."""
    asked.verify_rest(clock.now())


@tenant_task(name="audit.verify_log", queue="audit")
def verify_log() -> None:
    """Verify one log that is too long to be walked while somebody waits."""
    asked.verify_asked()


@task_apart(name="audit.verify_rest", queue="audit")
def verify_rest(*, since: str) -> None:
    """Verify the logs that a Super Admin could not wait for."""
    asked.verify_rest(datetime.fromisoformat(since))


@tenant_task(name="audit.make_log_export")
def make_log_export(*, export_id: str) -> None:
    """Write one export of the log."""
    log_exports.make(UUID(export_id))


@tenant_task(name="audit.drop_log_export")
def drop_log_export(*, export_id: str) -> None:
    """Delete one export whose time is over."""
    log_exports.drop(UUID(export_id))
