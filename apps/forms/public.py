"""From a public address to its tenant: what is found before anybody's identity or tenant is known."""

from __future__ import annotations

import hashlib
from uuid import UUID

from django.db import connection
from django.urls import reverse

from apps.tenants.context import NOBODY, tenant_context


def find_form(tenant: str, form: str) -> tuple[UUID, UUID] | None:
    """Tenant and form behind an address, while the form is published and open to anyone; else None."""
    return _ask("SELECT tenant_id, id FROM orkestra_public_form(%s, %s)", [tenant, form])


def find_receipt(word: str) -> tuple[UUID, UUID] | None:
    """Tenant and submission behind the secret of a private link; None for one that nobody was given."""
    return _ask("SELECT tenant_id, submission_id FROM orkestra_receipt(%s)", [digest(word)])


def digest(word: str) -> bytes:
    """What is kept of a private link's secret."""
    return hashlib.sha256(word.encode()).digest()


def address_of(tenant: str, form: str) -> str:
    """The path at which anyone fills a public form."""
    return reverse("public_form", kwargs={"tenant": tenant, "form": form})


def _ask(sql: str, values: list[str | bytes]) -> tuple[UUID, UUID] | None:
    with tenant_context(NOBODY), connection.cursor() as cursor:
        cursor.execute(sql, values)
        row = cursor.fetchone()
    return (row[0], row[1]) if row else None
