"""The hourly walk over every log, and the jobs of exports."""

from __future__ import annotations

from uuid import UUID

import structlog

from apps.tenants.context import TenantContext, as_system, tenant_context
from apps.tenants.jobs import periodic_task, tenant_task
from apps.tenants.models import Tenant

from . import log_exports, reconcile
from .sealer import seal
from .verify import keep, verify, with_instance

log = structlog.get_logger(__name__)


@periodic_task(name="audit.verify_all", cron="17 * * * *", queue="audit")
def verify_all(timestamp: int) -> None:
    """Verify every tenant's log and look for acts that it does not tell of; monitoring sees what is found."""
    with tenant_context(TenantContext(platform=True, credential="system")):
        tenants = list(Tenant.objects.values_list("pk", flat=True))
    for tenant in tenants:
        with as_system(tenant):
            seal(tenant)
            found = with_instance(verify())
            keep(found)
            reconcile.keep(reconcile.reconcile())
            if not found.whole:
                log.error("audit_chain_broken", first_bad=found.first_bad, damage=found.kind, reason=found.reason)


@tenant_task(name="audit.make_log_export")
def make_log_export(*, export_id: str) -> None:
    """Write one export of the log."""
    log_exports.make(UUID(export_id))


@tenant_task(name="audit.drop_log_export")
def drop_log_export(*, export_id: str) -> None:
    """Delete one export whose time is over."""
    log_exports.drop(UUID(export_id))
