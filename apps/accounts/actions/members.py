"""What becomes of members after they have joined; in force from their next request on."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from apps.audit.actions import record
from apps.tenants.freshness import require_fresh
from apps.tenants.refusals import Invalid, Refused
from apps.tenants.slots import slots

from ..models import Member, Team, TeamMember
from ..rules import Role, permissions_of
from ..ties import left_in, settle_first, ties_of, unsettled
from .api_keys import end_keys_made_by
from .invitations import withdraw_invitations_of


@transaction.atomic
def change_role(member: Member, role: str, *, by: Member) -> Member:
    """Give a member another tenant role; who may not let people in any more, their invitations and keys do not either.

    Raises Invalid, NotFresh from or to owner or a role that owns a form, Refused for the last owner and where something
    must be handed over first, Conflict for the last who can act in a team.
    """
    if role not in Role.values:
        raise Invalid({"role": [_("A role is owner, member or viewer.")]})
    if member.is_service:
        raise Refused(_("A service account's role is changed among the API keys."), code="service_account")
    member = locked(member.pk)
    if member.role == role:
        return member
    if Role.OWNER in {role, member.role}:
        require_fresh("role.owner")
    if slots.role_owns(role) or slots.role_owns(member.role):
        require_fresh("form.own")
    if member.role == Role.OWNER:
        keep_an_owner(member)
    if role == Role.VIEWER:
        _check_reads_only(member)
    before, member.role = member.role, role
    member.save()
    record("member.changed", member, facts={"role": role, "before": before})
    if "members.write" in permissions_of(before) - permissions_of(role):
        withdraw_invitations_of(member, by=by)
        end_keys_made_by(member)
    return member


def _check_reads_only(member: Member) -> None:
    ties = ties_of(member)
    if blocking := [tie for tie in ties if tie.blocks]:
        raise unsettled(member, blocking)
    if alone := [str(tie.title) for tie in ties if tie.needs_heir]:
        text = _("A viewer only reads. Hand this over first: %(what)s")
        raise Refused(text % {"what": " ".join(alone)}, code="settle_first", field="role")


@transaction.atomic
def reactivate(member: Member, *, by: Member) -> Member:
    """Let a member in again, with the role they had. Raises NotFresh for an owner."""
    member = locked(member.pk)
    if not member.is_active:
        if member.role == Role.OWNER:
            require_fresh("role.owner")
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
    """Take a member out of a team; steps that are open keep those who were asked.

    Raises NotFresh where the team owns a form, Conflict with what would hang in the air: somebody else has to be put
    in first.
    """
    if slots.team_owns(team.pk):
        require_fresh("form.own")
    locked(member.pk)  # of two who leave at once, the second finds the first gone
    if ties := left_in(team, member):
        words = {"name": member.name, "what": " ".join(str(tie.title) for tie in ties)}
        text = _("%(name)s is the last who can act in this team: put somebody else in first. %(what)s") % words
        raise settle_first(text, ties)
    gone, _rows = TeamMember.objects.filter(team=team, member=member).delete()
    if gone:
        record("team.changed", team, member, facts={"left": str(member.pk)})


def locked(pk: UUID) -> Member:
    """The member, after all owners' rows were locked in one order, so that two owners cannot leave at once.

    Who only refers to a member, as a decision does, is not held up: it holds the rows that a leaver's tasks need.
    """
    lock_owners()
    rows = Member.objects.select_for_update(of=("self",), no_key=True)
    return rows.select_related("user", "tenant").get(pk=pk)


def lock_owners() -> None:
    """Hold the rows of the tenant's owners until the transaction ends, in one order whoever asks."""
    owners = Member.objects.filter(role=Role.OWNER).order_by("pk")
    list(owners.select_for_update(no_key=True).values_list("pk", flat=True))


def keep_an_owner(leaving: Member) -> None:
    """Raise Refused where nobody else could own the tenant, or get in past its provider."""
    if not Member.objects.active().filter(role=Role.OWNER).exclude(pk=leaving.pk).exists():
        raise Refused(_("A tenant keeps at least one owner who can sign in."), code="last_owner")
    keep_break_glass(leaving)


def keep_break_glass(leaving: Member) -> None:
    """Raise Refused where only single sign-on is let in and nobody else is left for the day the provider is away."""
    others = Member.objects.for_emergencies().exclude(pk=leaving.pk)
    if leaving.tenant.is_sso_only and leaving.is_for_emergencies and not others.exists():
        text = _(
            "%(name)s is the only owner who gets into %(tenant)s without its provider, which takes a second factor: "
            "name another for that first, at Settings, Single sign-on."
        )
        words = {"name": leaving.name, "tenant": leaving.tenant.name}
        raise Refused(text % words, code="last_break_glass")
