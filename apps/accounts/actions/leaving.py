"""A member leaves: what depends on them is shown and goes over to others, in the same act that shuts them out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from apps.audit.actions import record
from apps.tenants.freshness import require_fresh
from apps.tenants.refusals import Refused
from apps.tenants.slots import Leaving, Tie, slots

from ..models import ApiKey, Invitation, Member, Team, TeamMember
from ..people import memberships
from ..rules import Role
from ..ties import each_tie, left_in, settle_first, unsettled
from .api_keys import end_api_keys, end_keys_made_by
from .families import end_families
from .invitations import withdraw_invitations_of
from .members import keep_an_owner, locked
from .sessions import end_sessions

Heirs = Mapping[str, Member]
Ties = Sequence[tuple[Leaving, Tie]]
MADE = "made-key:"


@transaction.atomic
def deactivate(
    member: Member, *, by: Member, heir: Member | None = None, heirs: Heirs | None = None, keep_keys: bool = False
) -> Member:
    """Shut a member out of the tenant, hand over what depended on them, and end their tokens and keys at once.

    `heirs` names who takes which tie, `heir` takes the rest. Keys that they made for service accounts end too, unless
    `keep_keys`. Raises Refused for oneself, for the last owner and for an
    heir who cannot take something; Conflict with the list of ties where somebody must take them and nobody is named,
    or where they are the last who can act in a team; NotFresh for an owner, and where a form gets another owner.
    """
    member = locked(member.pk)
    if member.pk == by.pk:
        raise Refused(_("You cannot shut yourself out; another owner can."), code="own_membership")
    if not member.is_active:
        return member
    if member.role == Role.OWNER:
        require_fresh("role.owner")
        keep_an_owner(member)
    ties = each_tie(member)
    member.is_active = False
    member.save()
    handed = _settle(member, ties, heir, heirs or {}, by)
    for room in slots.leaving:
        room.end(member, by)
    record("member.deactivated", member, facts={"handed_over": handed, "kept_keys": _kept(member) if keep_keys else []})
    end_api_keys(member)
    if not keep_keys:
        end_keys_made_by(member)
    end_families(member.user_id, member.tenant_id)
    if not memberships(member.user_id):
        end_sessions(member.user_id)
    return member


def _settle(member: Member, ties: Ties, heir: Member | None, heirs: Heirs, by: Member) -> dict[str, str]:
    """Hand over each tie that needs it; tie -> heir's id."""
    needed = [tie for _room, tie in ties if tie.needs_heir or tie.blocks]
    found = [(room, tie, heirs.get(tie.key) or heir) for room, tie in ties if tie.needs_heir]
    if any(tie.blocks for tie in needed):
        raise unsettled(member, needed)
    if [tie for _room, tie, taker in found if taker is None]:
        text = _("Others depend on %(name)s: say who takes over what is theirs alone.") % {"name": member.name}
        raise settle_first(text, needed)
    for room, tie, taker in found:
        if taker is None or taker.pk == member.pk or not taker.can_act:
            raise Refused(_("Choose somebody who is active here."), code="no_heir", field="hand_to")
        room.settle(tie, member, taker, by)
    return {tie.key: str(taker.pk) for _room, tie, taker in found if taker is not None}


def _keys_of(member: Member) -> list[Tie]:
    rows = ApiKey.objects.alive().filter(member=member).order_by("created_at")
    text = _("The API key %(name)s ends; a program that uses it stops.")
    return [Tie(f"key:{key.pk}", text % {"name": key.name}) for key in rows]


def _made_by(member: Member) -> Any:
    return ApiKey.objects.alive().filter(made_by=member).exclude(member=member).order_by("created_at")


def _kept(member: Member) -> list[str]:
    return [str(key.pk) for key in _made_by(member)]


def _keys_made_by(member: Member) -> list[Tie]:
    text = _("They made the API key %(name)s of %(account)s and may have kept it; it ends unless you keep it.")
    rows = _made_by(member).select_related("member__user")
    return [Tie(f"{MADE}{key.pk}", text % {"name": key.name, "account": key.member.name}) for key in rows]


def _invitations_of(member: Member) -> list[Tie]:
    text = _("Their invitation of %(email)s is withdrawn.")
    rows = Invitation.objects.open().filter(invited_by=member).order_by("created_at")
    return [Tie(f"invitation:{one.pk}", text % {"email": one.email}) for one in rows]


def _withdraw(member: Member, by: Member) -> None:
    withdraw_invitations_of(member, by=by)


def _last_in(member: Member) -> list[Tie]:
    """One tie for each team that would be left with nobody who acts, though something asks it."""
    seats, ties = TeamMember.objects.filter(member=member), []
    text = _("They are the last who can act in the team %(team)s: put somebody else in first. %(what)s")
    for team in Team.objects.filter(pk__in=seats.values("team_id")).order_by("name"):
        if what := [str(tie.title) for tie in left_in(team, member) if not tie.needs_heir]:
            ties.append(Tie(f"team:{team.pk}", text % {"team": team.name, "what": " ".join(what)}, blocks=True))
    return ties


def _nothing(tie: Tie, member: Member, heir: Member, by: Member) -> None:
    """Keys and invitations end with their member, and a team gets its next member elsewhere: no heir takes them."""


TEAMS = Leaving("accounts.teams", _last_in, _nothing, order=40)
KEYS = Leaving("accounts.keys", _keys_of, _nothing, order=90)
KEYS_MADE = Leaving("accounts.keys_made", _keys_made_by, _nothing, order=91)
INVITATIONS = Leaving("accounts.invitations", _invitations_of, _nothing, order=92, end=_withdraw)
