"""The job of approvals: what ends by its time is told by the log, too."""

from __future__ import annotations

from apps.tenants.context import TenantContext, as_system, tenant_context
from apps.tenants.jobs import periodic_task

from .actions.standing_in import end_what_ran_out, ran_out


@periodic_task(name="approvals.end_stand_ins", cron="*/5 * * * *")
def end_stand_ins(timestamp: int) -> None:
    """Record the end of each stand-in whose time is over, in every tenant."""
    with tenant_context(TenantContext(platform=True, credential="system")):
        tenants = list(ran_out().values_list("tenant_id", flat=True).order_by().distinct())
    for tenant in tenants:
        with as_system(tenant):
            end_what_ran_out()
