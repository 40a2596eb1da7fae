"""Jobs that know their tenant: the id travels as an argument, and the worker binds it again before the work starts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import procrastinate
from procrastinate.contrib.django import app

from .context import TenantContext, current, current_tenant, tenant_context


class TenantTask:
    """A task bound to the tenant in force when it was deferred; in the same transaction as the data."""

    def __init__(self, task: Any) -> None:
        self.task = task

    def defer(self, *, queueing_lock: str | None = None, **ids: str) -> int:
        """Queue one job; returns its number. Raises procrastinate's AlreadyEnqueued for a lock that is taken."""
        tenant = str(current_tenant())
        configured = self.task.configure(queueing_lock=queueing_lock) if queueing_lock else self.task
        return int(configured.defer(tenant_id=tenant, request_id=current().request_id, **ids))


def tenant_task(*, name: str, queue: str = "default", retry: Any = False) -> Callable[[Callable[..., None]], TenantTask]:
    """Turn a function of ids into a TenantTask; `retry` is a procrastinate RetryStrategy."""

    def decorate(function: Callable[..., None]) -> TenantTask:
        def run(*, tenant_id: str, request_id: str = "", **ids: str) -> None:
            with tenant_context(TenantContext.system(UUID(tenant_id), request_id)):
                function(**ids)

        run.__name__ = function.__name__
        run.__doc__ = function.__doc__
        return TenantTask(app.task(name=name, queue=queue, retry=retry)(run))

    return decorate


RetryStrategy = procrastinate.RetryStrategy
