"""The membership of one person in one tenant, by one statement that is written once: each API request asks it.

Building the same query from Django's objects took longer than the database took to answer it. It reads what
`Member.memberships.of` reads; a test compares the two.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any
from uuid import UUID

from django.db import connections, models, router

from apps.tenants.models import Tenant

from .models import Member, User

FROM = """
    FROM accounts_member m
    JOIN tenants_tenant t ON t.id = m.tenant_id AND t.is_active
    JOIN accounts_user u ON u.id = m.user_id AND u.is_active
    WHERE m.user_id = %s AND m.tenant_id = %s AND m.is_active"""


def membership(user: UUID, tenant: UUID) -> Member | None:
    """The active membership in an active tenant, with its tenant and person; the person must be bound."""
    sql, cuts = _statement()
    alias = router.db_for_read(Member)
    with connections[alias].cursor() as cursor:
        cursor.execute(sql, [user, tenant])
        row = cursor.fetchone()
    if row is None:
        return None
    found = []
    for model, start, end in cuts:
        found.append(model.from_db(alias, _columns(model), row[start:end]))
    member, of, person = found
    member.tenant, member.user = of, person
    return member  # type: ignore[no-any-return]


@lru_cache(maxsize=1)
def _statement() -> tuple[str, tuple[tuple[Any, int, int], ...]]:
    """The text, and which columns belong to which model."""
    parts, cuts, start = [], [], 0
    models_of: tuple[tuple[type[models.Model], str], ...] = ((Member, "m"), (Tenant, "t"), (User, "u"))
    for model, letter in models_of:
        fields = model._meta.concrete_fields
        parts += [f'{letter}."{field.column}"' for field in fields]
        cuts.append((model, start, start + len(fields)))
        start += len(fields)
    return f"SELECT {', '.join(parts)}{FROM}", tuple(cuts)


@lru_cache(maxsize=3)
def _columns(model: Any) -> list[str]:
    return [field.attname for field in model._meta.concrete_fields]
