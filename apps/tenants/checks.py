"""System checks over the models: what would let a tenant's row escape is refused before a migration is even made."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.core.checks import CheckMessage, Error, register
from django.db import models

from .models import TenantForeignKey, TenantModel
from .policies import TenantPolicy


@register()
def check_tenant_models(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Every tenant model has its policy, keys that carry the tenant, and no relation that leaves it."""
    return [fault for model in apps.get_models() if issubclass(model, TenantModel) for fault in _faults(model)]


def _faults(model: type[TenantModel]) -> Iterator[Error]:
    meta = model._meta
    if not any(isinstance(constraint, TenantPolicy) for constraint in meta.constraints):
        yield Error(f"{meta.label} has no TenantPolicy.", obj=model, id="tenants.E001")
    for constraint in meta.constraints:
        if isinstance(constraint, models.UniqueConstraint) and "tenant" not in constraint.fields:
            yield Error(
                f"{meta.label}: unique constraint {constraint.name} lacks tenant.", obj=model, id="tenants.E002"
            )
    for index in meta.indexes:
        if not index.fields or index.fields[0] not in {"tenant", "-tenant"}:
            yield Error(f"{meta.label}: index {index.name} must start with tenant.", obj=model, id="tenants.E003")
    for field in meta.local_fields:
        if field.unique and not field.primary_key:
            yield Error(f"{meta.label}.{field.name} is unique across tenants.", obj=model, id="tenants.E004")
        target = field.remote_field.model if isinstance(field, models.ForeignKey) else None
        walled = isinstance(target, type) and issubclass(target, TenantModel)
        if walled and not isinstance(field, TenantForeignKey):
            yield Error(f"{meta.label}.{field.name} must be a TenantForeignKey.", obj=model, id="tenants.E005")
    if meta.local_many_to_many:
        yield Error(f"{meta.label} has a many-to-many table; write it as a model.", obj=model, id="tenants.E006")
    if any(field.__class__.__name__ == "GenericForeignKey" for field in meta.private_fields):
        yield Error(f"{meta.label} has a generic foreign key; it could point anywhere.", obj=model, id="tenants.E007")
