"""The jobs of this room."""

from __future__ import annotations

from uuid import UUID

from apps.tenants.jobs import tenant_task

from .actions import exports


@tenant_task(name="forms.make_export")
def make_export(*, export_id: str) -> None:
    """Write one export of the tenant's data."""
    exports.make_export(UUID(export_id))


@tenant_task(name="forms.drop_export")
def drop_export(*, export_id: str) -> None:
    """Delete one export whose time is over."""
    exports.drop_export(UUID(export_id))
