"""Jobs that know their tenant: the id travels as an argument, and the worker binds it again before the work starts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import procrastinate
from procrastinate.contrib.django import app

from .context import TenantContext, current, current_tenant, tenant_context


def defer(name: str, *, queue: str = "default", after_seconds: int = 0, lock: str = "", **ids: str) -> int:
    """Queue one job by its task's name, in the caller's transaction, for the tenant in force; returns its number.

    Of the jobs of one tenant with the same `lock`, one runs at a time.
    """
    more: dict[str, Any] = {"schedule_in": {"seconds": after_seconds}} if after_seconds else {}
    if lock:
        more["lock"] = f"{lock}:{current_tenant()}"
    job = app.configure_task(name=name, queue=queue, allow_unknown=True, **more)
    return int(job.defer(tenant_id=str(current_tenant()), request_id=current().request_id, **ids))


def defer_apart(name: str, *, queue: str = "default", **ids: str) -> int:
    """Queue one job that belongs to no tenant, in the caller's transaction; returns its number."""
    job = app.configure_task(name=name, queue=queue, allow_unknown=True)
    return int(job.defer(request_id=current().request_id, **ids))


def task_apart(*, name: str, queue: str = "default", retry: Any = False) -> Callable[[Callable[..., None]], Any]:
    """Register a function of ids as a task that starts with no tenant known."""

    def decorate(function: Callable[..., None]) -> Any:
        def run(*, request_id: str = "", **ids: str) -> None:
            with tenant_context(TenantContext.system(None, request_id)):
                function(**ids)

        run.__name__ = function.__name__
        run.__doc__ = function.__doc__
        return app.task(name=name, queue=queue, retry=retry)(run)

    return decorate


def tenant_task(*, name: str, queue: str = "default", retry: Any = False) -> Callable[[Callable[..., None]], Any]:
    """Register a function of ids as the task of a name; `retry` is a RetryStrategy."""

    def decorate(function: Callable[..., None]) -> Any:
        def run(*, tenant_id: str, request_id: str = "", **ids: str) -> None:
            with tenant_context(TenantContext.system(UUID(tenant_id), request_id)):
                function(**ids)

        run.__name__ = function.__name__
        run.__doc__ = function.__doc__
        return app.task(name=name, queue=queue, retry=retry)(run)

    return decorate


RetryStrategy = procrastinate.RetryStrategy
