"""Signing in and out, as the audit log sees it: in the log of every tenant that the person belongs to."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from apps.audit.actions import record
from apps.tenants.caller import called_for
from apps.tenants.context import NOBODY, TenantContext, as_visitor, current, tenant_context
from apps.tenants.models import PLATFORM_TENANT_ID

from ..models import BrowserSession, Member, User
from ..people import memberships
from ..pseudonyms import account_of, accounts_of
from ..sessions import public_name, stored_key
from .asked import opened, promise
from .families import end_families

PURPOSE = "sign-in that was refused"


def signed_in(user: User, *, amr: str = "pwd", only: UUID | None = None) -> None:
    """Record that a person opened a session; `only` names the tenant whose provider opened it."""
    _everywhere("session.opened", user, facts={"amr": amr}, only=only)
    for member in memberships(user.pk):
        if member.is_for_emergencies and member.tenant.is_sso_only and only is None:
            with tenant_context(_of(user, member)), transaction.atomic():
                record("sso.passed_by", user, facts={"amr": amr})


def signed_out(user: User, *, only: UUID | None = None) -> None:
    """Record that a person closed their session."""
    _everywhere("session.closed", user, only=only)


def password_changed(user: User, *, but: str = "") -> None:
    """Record that a person's password is another one now, and end what the old one opened but for this session."""
    with transaction.atomic():
        _everywhere("password.changed", user)
        end_families(user.pk)
        end_sessions(user.pk, but=but)


def address_asked(user: User) -> None:
    """Record that a person wants another e-mail address."""
    _everywhere("address.asked", user)


def address_changed(user: User, *, before: str, but: str) -> None:
    """Record that a person's address is another one now, and end what is open for them but for this session.

    The platform's log keeps what stands there for the one before, by which an erasure finds what was tried with it.
    """
    with transaction.atomic():
        for member in memberships(user.pk):
            with tenant_context(_of(user, member)):
                record("address.changed", user)
        with tenant_context(_of(user, None)):
            record("address.changed", user, facts={"accounts": " ".join(map(str, accounts_of(before)))})
        end_families(user.pk)
        end_sessions(user.pk, but=but)


def end_sessions(user: UUID, *, but: str = "", only: str = "") -> int:
    """Sign a person out of their browsers: all, or only the one that a page calls so, never the one to keep."""
    with tenant_context(TenantContext(request_id=current().request_id)), transaction.atomic():
        rows = BrowserSession.objects.filter(user_id=user).exclude(session_key=stored_key(but))
        keys = [row.session_key for row in rows if not only or public_name(row.session_key) == only]
        BrowserSession.objects.filter(session_key__in=keys).delete()
        person = User.objects.filter(pk=user).first() if keys else None
        if person is not None:
            _everywhere("session.ended", person, facts={"count": len(keys)})
    return len(keys)


def factor_changed(user: User, action: str, facts: dict[str, str | int] | None = None) -> None:
    """Record that a person set up, gave up or renewed something of their second factor."""
    _everywhere(action, user, facts)


def factor_refused(user: User, kind: str) -> None:
    """Record that somebody who passed the password showed a wrong or used code, or a passkey that did not fit."""
    _everywhere("factor.refused", user, {"kind": kind}, outcome="refused")


def reset_asked(user: User) -> None:
    """Record that somebody asked for a reset link for this person."""
    for tenant in [member.tenant_id for member in memberships(user.pk)] or [PLATFORM_TENANT_ID]:
        asking = TenantContext(tenant=tenant, request_id=current().request_id)
        with tenant_context(asking), called_for(user.pk), transaction.atomic():
            record("password.reset_asked", user)  # by nobody: whoever asks has shown nothing yet


def sign_in_refused(email: str) -> None:
    """Record a failed sign-in in the platform's log, by what stands for the address: who it was is not known.

    Whether it is somebody's a job looks up, so that a refusal takes as long for everybody.
    """
    account = account_of(email)
    with as_visitor(PLATFORM_TENANT_ID), transaction.atomic():
        with called_for(account):
            record("session.refused", facts={"account": str(account)}, outcome="refused")
        promise("accounts.tell_of_wrong_password", PURPOSE, email)


def tell_of_wrong_password(sealed: str) -> None:
    """Record a failed sign-in in the log of every tenant of whoever has the address; of nobody's, nowhere."""
    with opened(PURPOSE, sealed) as asked:
        with tenant_context(NOBODY):
            user = User.objects.filter(email__iexact=asked["email"], is_service=False).first()
        with transaction.atomic():
            for member in memberships(user.pk) if user else ():
                trying = TenantContext(tenant=member.tenant_id, request_id=current().request_id)
                with tenant_context(trying), called_for(member.user_id):
                    record("password.refused", member, outcome="refused")  # by nobody: whoever tried is not known


def _everywhere(
    action: str,
    user: User,
    facts: dict[str, str | int] | None = None,
    only: UUID | None = None,
    outcome: str = "done",
) -> None:
    """One entry in each of the person's tenants, or in the one; in the platform's log where there is none."""
    found = [member for member in memberships(user.pk) if only in {None, member.tenant_id}]
    for context in [_of(user, member) for member in found] or [_of(user, None)]:
        with tenant_context(context), transaction.atomic():
            record(action, user, facts=facts or {}, outcome=outcome)


def _of(user: User, member: Member | None) -> TenantContext:
    return TenantContext(
        tenant=member.tenant_id if member else PLATFORM_TENANT_ID,
        user=user.pk,
        member=member.pk if member else None,
        credential="session",
        request_id=current().request_id,
    )
