"""A form that nobody can manage any more, and how an owner of the tenant takes it."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from apps.accounts.models import Member, TeamMember
from apps.accounts.rules import Role
from apps.audit.actions import record
from apps.comms.actions import queue_mail
from apps.tenants.context import require
from apps.tenants.freshness import require_fresh
from apps.tenants.refusals import Conflict

from ..models import Form, Grant, GrantRole, PrincipalType
from .access import MANAGING_ROLES, make_grant


def unowned() -> QuerySet[Form]:
    """Forms whose OWNER grants resolve to no active member who could manage them."""
    able = Member.objects.people().filter(role__in=MANAGING_ROLES)
    teams = TeamMember.objects.filter(member__in=able).values("team_id")
    grants = Grant.objects.filter(form=OuterRef("pk"), role=GrantRole.OWNER).filter(
        Q(principal_type=PrincipalType.USER, principal_member__in=able)
        | Q(principal_type=PrincipalType.ROLE, principal_role__in=able.values("role"))
        | Q(principal_type=PrincipalType.TEAM, principal_team__in=teams)
    )
    return Form.objects.filter(~Exists(grants))


def team_owns(team: UUID) -> bool:
    """Whether whoever joins this team owns a form by it."""
    return Grant.objects.filter(role=GrantRole.OWNER, principal_team=team).exists()


def role_owns(role: str) -> bool:
    """Whether whoever gets this tenant role owns a form by it."""
    return Grant.objects.filter(role=GrantRole.OWNER, principal_role=role).exists()


@transaction.atomic
def take_ownership(form: Form, *, by: Member) -> Grant:
    """Make an owner of the tenant the owner of a form that has none; every other owner of the tenant is told.

    Raises Forbidden, NotFresh, Conflict where somebody owns it: they can give access.
    """
    require("settings.write")
    require_fresh("form.take")
    form = Form.objects.select_for_update(of=("self",)).get(pk=form.pk)
    if not unowned().filter(pk=form.pk).exists():
        raise Conflict(_("This form has an owner; ask them for access."), code="has_owner")
    grant = make_grant(form, role=GrantRole.OWNER, principal_type=PrincipalType.USER, principal_member=by)
    record("access.taken", form, grant)
    others = Member.objects.active().filter(Q(role=Role.OWNER) | Q(pk=form.created_by_id)).exclude(pk=by.pk)
    for member in others.select_related("user"):
        queue_mail(
            to=member.email,
            template="forms/mail/taken",
            context={"name": member.name, "by": by.name, "title": form.title, "link": _link(form)},
            dedupe=f"taken:{grant.pk}:{member.pk}",
            user_id=member.user_id,
        )
    return grant


def _link(form: Form) -> str:
    return f"{settings.PUBLIC_URL}/t/{form.tenant.slug}/forms/{form.slug}/"
