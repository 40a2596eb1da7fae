"""What becomes of members after they have joined; in force from their next request on."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from apps.audit.actions import record
from apps.tenants.refusals import Invalid, Refused

from ..models import Member, Team, TeamMember
from ..rules import Role
from .families import end_families


@transaction.atomic
def change_role(member: Member, role: str, *, by: Member) -> Member:
    """Give a member another tenant role. Raises Invalid for an unknown one, Refused for the last owner."""
    if role not in Role.values:
        raise Invalid({"role": [_("A role is owner, member or viewer.")]})
    member = _locked(member.pk)
    if member.role == role:
        return member
    if member.role == Role.OWNER:
        _keep_an_owner(member)
    before, member.role = member.role, role
    member.save()
    record("member.changed", member, facts={"role": role, "before": before})
    return member


@transaction.atomic
def deactivate(member: Member, *, by: Member) -> Member:
    """Shut a member out of the tenant and end their tokens for it. Raises Refused for oneself and the last owner."""
    member = _locked(member.pk)
    if member.pk == by.pk:
        raise Refused(_("You cannot shut yourself out; another owner can."), code="own_membership")
    if not member.is_active:
        return member
    if member.role == Role.OWNER:
        _keep_an_owner(member)
    member.is_active = False
    member.save()
    record("member.deactivated", member)
    end_families(member.user_id, member.tenant_id)
    return member


@transaction.atomic
def reactivate(member: Member, *, by: Member) -> Member:
    """Let a member in again, with the role they had."""
    member = _locked(member.pk)
    if not member.is_active:
        member.is_active = True
        member.save()
        record("member.reactivated", member, facts={"role": member.role})
    return member


@transaction.atomic
def rename_team(team: Team, *, name: str, by: Member) -> Team:
    """Another name; its short name stays, since paths and people know it."""
    before, team.name = team.name, name
    team.save()
    record("team.changed", team, facts={"name": name, "before": before})
    return team


@transaction.atomic
def leave_team(team: Team, member: Member, *, by: Member) -> None:
    """Take a member out of a team; steps that are open keep those who were asked."""
    gone, _rows = TeamMember.objects.filter(team=team, member=member).delete()
    if gone:
        record("team.changed", team, member, facts={"left": str(member.pk)})


def _locked(pk: UUID) -> Member:
    """The member, after all owners' rows were locked in one order, so that two owners cannot leave at once."""
    list(Member.objects.filter(role=Role.OWNER).order_by("pk").select_for_update().values_list("pk", flat=True))
    return Member.objects.select_for_update(of=("self",)).select_related("user", "tenant").get(pk=pk)


def _keep_an_owner(leaving: Member) -> None:
    if not Member.objects.active().filter(role=Role.OWNER).exclude(pk=leaving.pk).exists():
        raise Refused(_("A tenant keeps at least one owner who can sign in."), code="last_owner")
