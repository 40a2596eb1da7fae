"""The jobs of this room."""

from __future__ import annotations

from uuid import UUID

from apps.tenants.context import TenantContext, as_system, tenant_context
from apps.tenants.jobs import periodic_task, tenant_task
from apps.tenants.models import Tenant

from . import sweeping
from .actions import exports


@tenant_task(name="forms.make_export")
def make_export(*, export_id: str) -> None:
    """Write one export of the tenant's data."""
    exports.make_export(UUID(export_id))


@tenant_task(name="forms.drop_export")
def drop_export(*, export_id: str) -> None:
    """Delete one export whose time is over."""
    exports.drop_export(UUID(export_id))


@periodic_task(name="forms.sweep_files", cron="13 4 * * *")
def sweep_files(timestamp: int) -> None:
    """Delete stored files that no row has referred to for a day."""
    with tenant_context(TenantContext(platform=True, credential="system")):
        tenants = list(Tenant.objects.values_list("pk", flat=True))
    for tenant in tenants:
        with as_system(tenant):
            sweeping.sweep()
