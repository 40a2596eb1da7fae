"""The jobs of this room."""

from __future__ import annotations

from uuid import UUID

from apps.tenants.jobs import RetryStrategy, tenant_task

from .actions import summaries

RETRY = RetryStrategy(max_attempts=summaries.MAX_ATTEMPTS, exponential_wait=4, retry_exceptions={summaries.TryAgain})


@tenant_task(name="ai.write_summary", retry=RETRY)
def write_summary(*, summary_id: str) -> None:
    """Have the model write one summary."""
    summaries.write_summary(UUID(summary_id))
