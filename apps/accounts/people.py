"""Names and memberships as the lower rooms' pages show them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest

from apps.tenants.context import TenantContext, current, tenant_context
from apps.tenants.slots import Recipient

from .models import Invitation, Member, User
from .rules import Role
from .sso.session import limit

MOST_ACTORS = 300


def actor_names(ids: set[UUID]) -> dict[UUID, str]:
    """Member id -> name, for the members of the tenant in force."""
    rows = Member.objects.filter(pk__in=ids).select_related("user")
    return {member.pk: member.name for member in rows}


def actors() -> list[tuple[UUID, str]]:
    """(member id, name) of the members of the tenant in force by name; of a great many the first."""
    rows = Member.objects.select_related("user").order_by("user__name", "pk")[:MOST_ACTORS]
    return [(member.pk, member.name) for member in rows]


def seats_taken() -> dict[str, int]:
    """Active members of the tenant in force; service accounts take no seat."""
    return {"": Member.objects.filter(is_active=True, is_service=False).count()}


def seats_kept() -> dict[str, int]:
    """Open invitations, each of which keeps a seat."""
    return {"": Invitation.objects.open().count()}


def owners() -> list[Recipient]:
    """The active owners of the tenant in force."""
    rows = Member.objects.active().filter(role=Role.OWNER).select_related("user").order_by("joined_at")
    return [Recipient(member.user_id, member.email, member.name) for member in rows]


def memberships_of(request: HttpRequest) -> list[Any]:
    """The tenants of the person who asks, for the tenant menu."""
    user = getattr(request, "user", None)
    if not isinstance(user, User):
        return []
    only = limit(request, user)
    return [member for member in memberships(user.pk) if only is None or member.tenant_id == only]


def may_begin_another(request: HttpRequest) -> bool:
    """Whether the person who asks may begin a further organisation: signing up is open, and no tenant's provider let them in."""
    return settings.SIGN_UP_IS_OPEN and isinstance(getattr(request, "user", None), User) and not is_limited(request)


def is_limited(request: HttpRequest) -> bool:
    """Whether a tenant's provider let the person in who asks: what concerns them in all tenants is not open to them."""
    user = getattr(request, "user", None)
    return isinstance(user, User) and limit(request, user) is not None


def memberships(user: UUID) -> list[Member]:
    """Active memberships of one person, read with only the person bound."""
    with tenant_context(TenantContext(user=user, request_id=current().request_id)):
        return list(Member.memberships.of(user))
