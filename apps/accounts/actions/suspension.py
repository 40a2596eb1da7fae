"""Shutting a whole tenant out, and letting it in again: what whoever runs the installation can do to one."""

from __future__ import annotations

import hashlib

from django.db import transaction
from django.utils.translation import gettext as _

from apps.audit.actions import record
from apps.comms.actions import queue_mail
from apps.tenants.context import TenantContext, as_system, current, tenant_context
from apps.tenants.freshness import require_fresh
from apps.tenants.models import PLATFORM_TENANT_ID, Tenant
from apps.tenants.refusals import Forbidden, Refused

from .. import people
from ..models import User

SHORTEST_REASON = 10


def suspend_tenant(tenant: Tenant, *, by: User | None, reason: str) -> None:
    """Nobody gets in from the next request on, at any door; nothing is deleted. Its owners are told why, by mail.

    `by` is None for the operator at the command line. Raises NotFresh, Forbidden for anybody but a Super Admin, Refused
    without a reason, for the platform's own tenant, and where it is so already.
    """
    _change(tenant, to_active=False, by=by, reason=reason)


def resume_tenant(tenant: Tenant, *, by: User | None, reason: str) -> None:
    """Its members get in again. Raises as `suspend_tenant`, and Refused where it is not suspended."""
    _change(tenant, to_active=True, by=by, reason=reason)


def _change(tenant: Tenant, *, to_active: bool, by: User | None, reason: str) -> None:
    _check(tenant, by, reason)
    context = as_system(tenant.pk) if by is None else tenant_context(_acting(tenant, by))
    with context, transaction.atomic():
        if not Tenant.objects.filter(pk=tenant.pk, is_active=not to_active).update(is_active=to_active):
            text = _("%(name)s is not suspended.") if to_active else _("%(name)s is suspended already.")
            raise Refused(text % {"name": tenant.name})
        digest = hashlib.sha256(reason.strip().encode()).hexdigest()
        facts = {"reason_sha256": digest}
        entry = record("tenant.resumed" if to_active else "tenant.suspended", tenant, facts=facts)
        for owner in people.owners():
            queue_mail(
                to=owner.email,
                template="account/mail/resumed" if to_active else "account/mail/suspended",
                context={"name": owner.name, "tenant": tenant.name, "reason": reason.strip()},
                dedupe=f"{entry.action}:{entry.pk}:{owner.user_id}",
                user_id=owner.user_id,
            )


def _check(tenant: Tenant, by: User | None, reason: str) -> None:
    if by is not None:
        require_fresh("tenant.suspend")
        if not by.is_platform_admin:
            raise Forbidden()
    if tenant.pk == PLATFORM_TENANT_ID:
        raise Refused(_("This holds the platform's own log; nobody is in it."))
    if len(reason.strip()) < SHORTEST_REASON:
        raise Refused(_("Say why, in a few words; the tenant's owners read this."), field="reason")


def _acting(tenant: Tenant, by: User) -> TenantContext:
    return TenantContext(tenant=tenant.pk, user=by.pk, credential="support", request_id=current().request_id)
