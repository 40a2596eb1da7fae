"""What is compared again and again: plans with Stripe each hour, counters with what they count each night."""

from __future__ import annotations

from uuid import UUID

import structlog

from apps.tenants.context import TenantContext, as_system, tenant_context
from apps.tenants.jobs import periodic_task
from apps.tenants.models import Tenant
from apps.tenants.refusals import Problem

from . import actions, payments
from .models import Subscription
from .reconciling import differences
from .retention import prune_log

log = structlog.get_logger(__name__)


@periodic_task(name="billing.follow_stripe", cron="29 * * * *", queue="webhooks")
def follow_stripe(timestamp: int) -> None:
    """Compare every customer with Stripe, so that a webhook that never came is made up for within the hour."""
    if not payments.is_configured():
        return
    with tenant_context(TenantContext(platform=True, credential="system")):
        tenants = list(Subscription.objects.exclude(stripe_customer="").values_list("tenant_id", flat=True))
    for tenant in tenants:
        with as_system(tenant):
            try:
                actions.compare()
            except Problem as problem:
                log.error("stripe_not_compared", reason=problem.code)


@periodic_task(name="billing.reconcile", cron="53 2 * * *", queue="audit")
def reconcile(timestamp: int) -> None:
    """Count everything that has a limit, and say loudly where a counter differs."""
    for tenant in _tenants():
        with as_system(tenant):
            differences()


@periodic_task(name="billing.prune_logs", cron="41 3 * * *", queue="audit")
def prune_logs(timestamp: int) -> None:
    """Take the bodies of audit entries that are older than the tenant's plan keeps them; most plans keep all."""
    for tenant in _tenants():
        with as_system(tenant):
            prune_log()


def _tenants() -> list[UUID]:
    with tenant_context(TenantContext(platform=True, credential="system")):
        return list(Tenant.objects.values_list("pk", flat=True))
