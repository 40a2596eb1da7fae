"""The daily look at proven domains."""

from __future__ import annotations

from apps.tenants.context import TenantContext, as_system, tenant_context
from apps.tenants.jobs import periodic_task

from .sso import actions
from .sso.models import SsoDomain


@periodic_task(name="accounts.look_at_domains", cron="41 4 * * *", queue="accounts")
def look_at_domains(timestamp: int) -> None:
    """Look at each proven domain again; one whose record was missing three days in a row is given up."""
    with tenant_context(TenantContext(platform=True, credential="system")):
        rows = list(SsoDomain.objects.verified().values_list("tenant_id", "pk"))
    for tenant, pk in rows:
        with as_system(tenant):
            if found := SsoDomain.objects.filter(pk=pk).first():
                actions.check_domain(found)
