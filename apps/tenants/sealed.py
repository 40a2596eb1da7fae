"""Fields that are stored encrypted, for a change of keys: an entry of slots.sealed for one field of one model."""

from __future__ import annotations

from uuid import UUID

from django.db import models, transaction

from .context import NOBODY, TenantContext, as_system, tenant_context
from .encryption import is_current, key_of, seal, unseal
from .models import Tenant
from .slots import SealedFields

ACROSS = TenantContext(platform=True, credential="system")


def tenant_fields(key: str, model: type[models.Model], field: str, purpose: str) -> SealedFields:
    """Of a table of tenants, tenant by tenant; an empty field holds nothing."""

    def names() -> set[str]:
        with tenant_context(ACROSS):
            return _names(model, field)

    def reseal() -> int:
        with tenant_context(ACROSS):
            tenants: list[UUID] = list(Tenant.objects.values_list("pk", flat=True))
        count = 0
        for tenant in tenants:
            with as_system(tenant):
                count += _reseal(model, field, purpose)
        return count

    return SealedFields(key, names, reseal)


def global_fields(key: str, model: type[models.Model], field: str, purpose: str) -> SealedFields:
    """Of a table without a tenant."""

    def names() -> set[str]:
        with tenant_context(NOBODY):
            return _names(model, field)

    def reseal() -> int:
        with tenant_context(NOBODY):
            return _reseal(model, field, purpose)

    return SealedFields(key, names, reseal)


def _names(model: type[models.Model], field: str) -> set[str]:
    rows = model._default_manager.exclude(**{field: ""}).values_list(field, flat=True)
    return {key_of(stored) for stored in rows}


@transaction.atomic
def _reseal(model: type[models.Model], field: str, purpose: str) -> int:
    count = 0
    for row in model._default_manager.exclude(**{field: ""}).select_for_update():
        stored = getattr(row, field)
        if not is_current(stored):
            setattr(row, field, seal(purpose, unseal(purpose, stored)))
            row.save(update_fields=[field])
            count += 1
    return count
