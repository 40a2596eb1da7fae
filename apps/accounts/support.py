"""Support visits: a Super Admin enters one tenant, with a reason and for half an hour, and leaves traces there.

A visitor acts as one of the tenant's owners, as the app's role and bound to that tenant like anybody else; the platform
role, which reads across tenants, writes nothing for them. Every entry of the log carries both identities.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext as _

from apps.audit.actions import record
from apps.comms.actions import queue_mail
from apps.tenants import clock
from apps.tenants.context import TenantContext, current, tenant_context
from apps.tenants.freshness import require_fresh
from apps.tenants.models import Tenant
from apps.tenants.refusals import Forbidden, NotFound, Refused
from apps.tenants.security_events import Kind, security_event

from . import people
from .models import Member, SupportVisit, User
from .rules import Role

LASTS = timedelta(minutes=30)
SHORTEST_REASON = 10
SESSION_KEY = "support"
# Looking, and helping with forms, teams and settings. Never: filling, deciding, people, keys.
MAY = frozenset(
    {"forms.read", "forms.edit", "submissions.read", "members.read", "teams.write", "settings.read", "settings.write",
     "audit.read"}
)  # fmt: skip


def enter(tenant: Tenant, *, by: User, reason: str) -> SupportVisit:
    """Open a visit, tell the owners, and record it in the tenant's own log.

    Raises NotFresh, Forbidden for anybody but a Super Admin, Refused without a reason, for a tenant without an owner,
    and where a visit would be to oneself.
    """
    require_fresh("support.enter")
    if not by.is_platform_admin:
        raise Forbidden()
    if len(reason.strip()) < SHORTEST_REASON:
        raise Refused(_("Say why, in a few words; the tenant's owners read this."), field="reason")
    with tenant_context(_visiting(tenant.pk, by)), transaction.atomic():
        owner = Member.objects.active().filter(role=Role.OWNER).select_related("user").order_by("joined_at").first()
        if owner is None:
            raise Refused(_("This tenant has no owner to act for."), field="tenant")
        now = clock.now()
        visit = SupportVisit.objects.create(
            visitor=by, member=owner, reason=reason.strip(), opened_at=now, closes_at=now + LASTS
        )
        facts = {"visitor": str(by.pk), "acting_for": str(owner.pk), "minutes": int(LASTS.total_seconds() // 60)}
        record("support.entered", visit, facts=facts)
        _tell_owners(tenant, visit)
    security_event(Kind.SUPPORT_ENTERED, tenant=str(tenant.pk), visitor=str(by.pk), visit=str(visit.pk))
    return visit


def leave(tenant: UUID, visit: UUID, *, by: User) -> None:
    """End a visit before its time; one that is over stays as it is."""
    with tenant_context(_visiting(tenant, by)), transaction.atomic():
        for found in SupportVisit.objects.open().filter(pk=visit, visitor=by):
            SupportVisit.objects.filter(pk=found.pk).update(closed_at=clock.now())
            record("support.left", found, facts={"visitor": str(by.pk)})


def visit_of(request: HttpRequest, user: User) -> SupportVisit | None:
    """The visit that this session has open; None for one that has ended, or that is another person's."""
    kept = request.session.get(SESSION_KEY)
    if not kept or not user.is_platform_admin:
        return None
    with tenant_context(_visiting(UUID(kept["tenant"]), user)):
        rows = SupportVisit.objects.open().select_related("tenant", "member__user", "member__tenant")
        visit = rows.filter(pk=kept["visit"], visitor_id=user.pk).first()
    return visit if visit is not None and visit.tenant.is_active and visit.member.can_act else None


def context_of(visit: SupportVisit, person: TenantContext) -> TenantContext:
    """Who acts during a visit: the owner, by the hand of the visitor, with what a visitor may do at most."""
    return TenantContext(
        tenant=visit.tenant_id,
        user=visit.visitor_id,
        member=visit.member_id,
        impersonator=visit.visitor_id,
        permissions=visit.member.permissions & MAY,
        auth_time=person.auth_time,
        amr=person.amr,
        credential="support",
        request_id=person.request_id,
    )


def banner(request: HttpRequest) -> str:
    """What stands above every page during a visit."""
    visit: SupportVisit | None = getattr(request, "support_visit", None)
    if visit is None:
        return ""
    words = {"name": visit.member.name, "until": f"{visit.closes_at:%H:%M} UTC"}
    return str(_("Support visit, acting for %(name)s until %(until)s. All you do stands in this tenant's log.") % words)


def _visiting(tenant: UUID, by: User) -> TenantContext:
    acting = current()
    return TenantContext(tenant=tenant, user=by.pk, credential="support", request_id=acting.request_id)


def _tell_owners(tenant: Tenant, visit: SupportVisit) -> None:
    for owner in people.owners():
        context = {"name": owner.name, "tenant": tenant.name, "reason": visit.reason, "minutes": LASTS.seconds // 60}
        queue_mail(
            to=owner.email,
            template="account/mail/support",
            context=context,
            dedupe=f"support:{visit.pk}:{owner.user_id}",
            user_id=owner.user_id,
        )


def close_session_visit(request: HttpRequest, user: User) -> None:
    """End the visit of this session. Raises NotFound where there is none."""
    kept = request.session.pop(SESSION_KEY, None)
    if not kept:
        raise NotFound()
    leave(UUID(kept["tenant"]), UUID(kept["visit"]), by=user)
