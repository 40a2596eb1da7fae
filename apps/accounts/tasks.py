"""The daily look at proven domains."""

from __future__ import annotations

from procrastinate.contrib.django import app

from apps.tenants.context import TenantContext, as_system, tenant_context

from .sso import actions
from .sso.models import SsoDomain


@app.periodic(cron="41 4 * * *")
@app.task(name="accounts.look_at_domains", queue="accounts", queueing_lock="accounts.look_at_domains")
def look_at_domains(timestamp: int) -> None:
    """Look at each proven domain again; one whose record was missing three days in a row is given up."""
    with tenant_context(TenantContext(platform=True, credential="system")):
        rows = list(SsoDomain.objects.verified().values_list("tenant_id", "pk"))
    for tenant, pk in rows:
        with as_system(tenant):
            if found := SsoDomain.objects.filter(pk=pk).first():
                actions.check_domain(found)
