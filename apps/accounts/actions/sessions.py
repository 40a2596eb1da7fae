"""Signing in and out, as the audit log sees it: in the log of every tenant that the person belongs to."""

from __future__ import annotations

import hashlib
from uuid import UUID

from django.db import transaction

from apps.audit.actions import record
from apps.tenants.context import TenantContext, as_system, current, tenant_context
from apps.tenants.models import PLATFORM_TENANT_ID

from ..models import User
from ..people import memberships
from .families import end_families


def signed_in(user: User, *, amr: str = "pwd") -> None:
    """Record that a person opened a session."""
    _everywhere("session.opened", user, facts={"amr": amr})


def signed_out(user: User) -> None:
    """Record that a person closed their session."""
    _everywhere("session.closed", user)


def password_changed(user: User) -> None:
    """Record that a person's password is another one now, and end the tokens that the old one opened."""
    with transaction.atomic():
        _everywhere("password.changed", user)
        end_families(user.pk)


def reset_asked(user: User) -> None:
    """Record that somebody asked for a reset link for this person."""
    _everywhere("password.reset_asked", user)


def sign_in_refused(email: str) -> None:
    """Record a failed sign-in in the platform's log, by the hash of the address: who it was is not known."""
    digest = hashlib.sha256(email.strip().lower().encode()).hexdigest()
    with as_system(PLATFORM_TENANT_ID), transaction.atomic():
        record("session.refused", facts={"email_sha256": digest}, outcome="refused")


def _everywhere(action: str, user: User, facts: dict[str, str] | None = None) -> None:
    """One entry in each of the person's tenants; in the platform's log where there is none."""
    found = memberships(user.pk)
    places: list[tuple[UUID | None, UUID | None]] = [(member.tenant_id, member.pk) for member in found]
    places = places or [(PLATFORM_TENANT_ID, None)]
    for tenant, member in places:
        context = TenantContext(
            tenant=tenant, user=user.pk, member=member, credential="session", request_id=current().request_id
        )
        with tenant_context(context), transaction.atomic():
            record(action, user, facts=facts or {})
