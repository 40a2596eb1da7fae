"""Which identity providers there are, before anybody is known: by id, by their tenant's address or by a mail domain."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.db import connection as database

from apps.tenants.context import NOBODY, tenant_context


@dataclass(frozen=True)
class Door:
    """A provider as it is shown before anybody has signed in."""

    tenant: UUID
    id: UUID
    tenant_name: str
    name: str


def find(*, pk: UUID | None = None, slug: str = "", domain: str = "") -> list[Door]:
    """Providers by id, by their tenant's address, or by a mail domain that their tenant has proven."""
    with tenant_context(NOBODY), database.cursor() as cursor:
        cursor.execute("SELECT * FROM orkestra_sso(%s, %s, %s)", [pk, slug or None, domain or None])
        return [Door(*row) for row in cursor.fetchall()]
