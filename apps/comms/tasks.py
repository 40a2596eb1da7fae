"""The jobs of mails and webhooks."""

from __future__ import annotations

from uuid import UUID

import structlog

from apps.tenants.context import TenantContext, as_system, tenant_context
from apps.tenants.jobs import RetryStrategy, forget_failed_jobs, periodic_task, task_apart, tenant_task
from apps.tenants.models import Tenant

from . import actions
from .hold import is_held

log = structlog.get_logger(__name__)

# Attempts after 4, 16, 64 … seconds: a mail server that restarts costs a minute, one that is away for hours is waited for.
RETRY = RetryStrategy(max_attempts=actions.MAX_ATTEMPTS, exponential_wait=4, retry_exceptions={actions.TryAgain})


@tenant_task(name="comms.send_mail", queue="mail", retry=RETRY)
def send_mail(*, message_id: str) -> None:
    """Hand one mail of the outbox to the mail server; after a restore it stays there."""
    if is_held():
        return log.warning("mail_held", message=message_id)
    actions.deliver(UUID(message_id))


@tenant_task(name="comms.deliver_webhook", queue="webhooks")
def deliver_webhook(*, delivery_id: str) -> None:
    """Tell one endpoint about one event; what fails is promised again by the attempt itself. After a restore it waits."""
    if is_held():
        return log.warning("webhook_held", delivery=delivery_id)
    actions.attempt(UUID(delivery_id))


# Again after 3, 9, 27 … seconds, for about a day.
INBOUND_RETRY = RetryStrategy(max_attempts=10, exponential_wait=3)


@task_apart(name="comms.process_inbound", queue="webhooks", retry=INBOUND_RETRY)
def process_inbound(*, event_id: str) -> None:
    """Deal with one webhook that came in."""
    actions.process(UUID(event_id))


@periodic_task(name="comms.prune_webhooks", cron="41 3 * * *", queue="mail")
def prune_webhooks(timestamp: int) -> None:
    """Forget old deliveries, tenant by tenant."""
    with tenant_context(TenantContext(platform=True, credential="system")):
        tenants = list(Tenant.objects.values_list("pk", flat=True))
    for tenant in tenants:
        with as_system(tenant):
            actions.prune()


@periodic_task(name="comms.prune_queue", cron="51 3 * * *", queue="mail")
def prune_queue(timestamp: int) -> None:
    """Take out jobs that failed long ago; those that were done are gone already."""
    forget_failed_jobs()
