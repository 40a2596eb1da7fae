"""The jobs of the outbox."""

from __future__ import annotations

from uuid import UUID

from apps.tenants.jobs import RetryStrategy, tenant_task

from . import actions

# Attempts after 4, 16, 64 … seconds: a mail server that restarts costs a minute, one that is away for hours is waited for.
RETRY = RetryStrategy(max_attempts=actions.MAX_ATTEMPTS, exponential_wait=4, retry_exceptions={actions.TryAgain})


@tenant_task(name="comms.send_mail", queue="mail", retry=RETRY)
def send_mail(*, message_id: str) -> None:
    """Hand one mail of the outbox to the mail server."""
    actions.deliver(UUID(message_id))
