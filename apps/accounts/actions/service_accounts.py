"""Accounts of a tenant without a person: programs with a role and keys of their own, and no way to sign in."""

from __future__ import annotations

from uuid import uuid4

from django.db import transaction
from django.utils.translation import gettext as _

from apps.audit.actions import record
from apps.tenants.context import NOBODY, require, tenant_context
from apps.tenants.freshness import require_fresh
from apps.tenants.refusals import Invalid, Refused

from ..models import Member, User
from ..rules import Role
from .api_keys import end_api_keys
from .members import locked

MOST = 50  # of one tenant; they take no seats
DOMAIN = "service.invalid"  # RFC 2606: no mail ever arrives there
ROLES = (Role.MEMBER, Role.VIEWER)


@transaction.atomic
def create_service_account(*, name: str, role: str, by: Member) -> Member:
    """A named account with a role; it acts by API keys alone. Raises NotFresh, Forbidden, Invalid, Refused."""
    require("api_keys.write")
    require_fresh("service_account.change")
    _check_role(role)
    rows = Member.objects.filter(is_service=True)
    if rows.filter(is_active=True).count() >= MOST:
        raise Refused(_("A tenant has at most %(n)s service accounts.") % {"n": MOST}, code="too_many")
    if rows.filter(user__name__iexact=name).exists():
        raise Refused(_("There is a service account of this name already."), field="name")
    with tenant_context(NOBODY):
        user = User.objects.create_user(f"{uuid4().hex}@{DOMAIN}", None, name=name, is_service=True)
    made = Member.objects.create(user=user, role=role, is_service=True)
    record("service_account.created", made, facts={"role": str(role)})
    return made


@transaction.atomic
def change_service_account(
    account: Member, *, role: str | None = None, is_active: bool | None = None, by: Member
) -> Member:
    """Another role, or off and on. Off ends its keys at once, and none of them comes back with it."""
    require("api_keys.write")
    found = locked(account.pk)
    if not found.is_service:
        raise Refused(_("This is a person."), code="no_service_account")
    if role is not None and role != found.role:
        require_fresh("service_account.change")
        _check_role(role)
        before, found.role = found.role, role
        found.save(update_fields=["role"])
        record("service_account.changed", found, facts={"role": str(role), "before": before})
    if is_active is not None and is_active != found.is_active:
        if is_active:
            require_fresh("service_account.change")
        found.is_active = is_active
        found.save(update_fields=["is_active"])
        record("service_account.switched", found, facts={"on": is_active})
        if not is_active:
            end_api_keys(found)
    return found


def _check_role(role: str) -> None:
    if role not in ROLES:
        raise Invalid({"role": [_("A service account is a member or a viewer, never an owner.")]})
