"""Jobs that know their tenant: the id travels as a signed argument, and the worker binds it again before the work starts.

Every task is registered here, and none runs a job that this installation did not sign (`job_signing.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any
from uuid import UUID

import procrastinate
from asgiref.sync import async_to_sync
from procrastinate import App
from procrastinate.contrib.django import app
from procrastinate.retry import BaseRetryStrategy

from .context import TenantContext, current, current_tenant, tenant_context
from .job_signing import JobForged, opened, signed
from .security_events import Kind, security_event

FAILED_KEPT = timedelta(days=30)


def defer(name: str, *, queue: str = "default", after_seconds: int = 0, lock: str = "", **ids: str) -> int:
    """Queue one job by its task's name, in the caller's transaction, for the tenant in force; returns its number.

    Of the jobs of one tenant with the same `lock`, one runs at a time.
    """
    more: dict[str, Any] = {"schedule_in": {"seconds": after_seconds}} if after_seconds else {}
    if lock:
        more["lock"] = f"{lock}:{current_tenant()}"
    job = app.configure_task(name=name, queue=queue, allow_unknown=True, **more)
    about = {"tenant_id": str(current_tenant()), "request_id": current().request_id}
    return int(job.defer(**signed(name, about | ids)))


def defer_apart(name: str, *, queue: str = "default", **ids: str) -> int:
    """Queue one job that belongs to no tenant, in the caller's transaction; returns its number."""
    job = app.configure_task(name=name, queue=queue, allow_unknown=True)
    return int(job.defer(**signed(name, {"request_id": current().request_id, **ids})))


def tenant_task(*, name: str, queue: str = "default", retry: Any = False) -> Callable[[Callable[..., None]], Any]:
    """Register a function of ids as the task of a name; `retry` is a RetryStrategy."""

    def decorate(function: Callable[..., None]) -> Any:
        def run(*, tenant_id: str, request_id: str = "", **ids: str) -> None:
            with tenant_context(TenantContext.system(UUID(tenant_id), request_id)):
                function(**ids)

        return _register(function, run, name=name, queue=queue, retry=retry)

    return decorate


def task_apart(*, name: str, queue: str = "default", retry: Any = False) -> Callable[[Callable[..., None]], Any]:
    """Register a function of ids as a task that starts with no tenant known."""

    def decorate(function: Callable[..., None]) -> Any:
        def run(*, request_id: str = "", **ids: str) -> None:
            with tenant_context(TenantContext.system(None, request_id)):
                function(**ids)

        return _register(function, run, name=name, queue=queue, retry=retry)

    return decorate


def periodic_task(*, name: str, cron: str, queue: str = "default") -> Callable[[Callable[[int], None]], Any]:
    """Register a function of a moment (Unix seconds) to be run again and again; it waits in the queue once at most."""

    def decorate(function: Callable[[int], None]) -> Any:
        task = _register(function, function, name=name, queue=queue, queueing_lock=name)
        configure = task.configure

        def configure_signed(*, task_kwargs: dict[str, Any] | None = None, **options: Any) -> Any:
            return configure(task_kwargs=signed(name, task_kwargs or {}), **options)

        # The library itself queues periodic jobs, and asks the task for nothing else.
        task.configure = configure_signed
        return app.periodic(cron=cron)(task)

    return decorate


def forget_failed_jobs() -> None:
    """Delete jobs that failed, or were given up, longer ago than FAILED_KEPT; what is done goes by itself."""
    hours = int(FAILED_KEPT.total_seconds()) // 3600
    forget = async_to_sync(app.job_manager.delete_old_jobs)
    forget(hours, include_failed=True, include_cancelled=True, include_aborted=True)


def only_signed_tasks(made: App) -> None:
    """Take the library's own tasks out: they would run for whoever writes into the queue, and nobody here uses them."""
    for name in [name for name, task in made.tasks.items() if not hasattr(task.func, "is_signed")]:
        del made.tasks[name]


def _register(function: Callable[..., None], run: Callable[..., None], *, retry: Any = False, **options: Any) -> Any:
    """The task that runs `run` with what was signed for it, and with nothing else."""
    name = str(options["name"])

    @wraps(function)
    def verified(**found: Any) -> None:
        run(**_verified(name, found))

    verified.is_signed = True  # type: ignore[attr-defined]
    return app.task(retry=_NeverForged(retry) if retry else False, **options)(verified)


def _verified(name: str, found: dict[str, Any]) -> dict[str, Any]:
    try:
        return opened(name, found)
    except JobForged as forged:
        security_event(Kind.JOB_FORGED, task=name, reason=str(forged), tenant=_tenant_named(found))
        raise


def _tenant_named(found: dict[str, Any]) -> str | None:
    """The id that a forged job gives, where it is one: nothing else that a forger wrote is repeated."""
    try:
        return str(UUID(found["tenant_id"]))
    except (KeyError, ValueError, TypeError, AttributeError):
        return None


class _NeverForged(BaseRetryStrategy):
    """As the strategy of the task, but a forged job fails for good."""

    def __init__(self, strategy: BaseRetryStrategy) -> None:
        self._strategy = strategy

    def get_retry_decision(self, *, exception: BaseException, job: Any) -> Any:
        return (
            None
            if isinstance(exception, JobForged)
            else self._strategy.get_retry_decision(exception=exception, job=job)
        )


RetryStrategy = procrastinate.RetryStrategy
