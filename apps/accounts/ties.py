"""What depends on a member, as every room tells it, and how that stops who would leave it."""

from __future__ import annotations

from django.utils.translation import gettext as _

from apps.tenants.refusals import Conflict
from apps.tenants.slots import Leaving, Tie, slots

from .models import Member, Team


def each_tie(member: Member) -> list[tuple[Leaving, Tie]]:
    """What depends on this member, each with the room that knows how to hand it over."""
    return [(room, tie) for room in slots.leaving for tie in room.ties(member)]


def ties_of(member: Member) -> list[Tie]:
    """Everything in the tenant that depends on this member."""
    return [tie for _room, tie in each_tie(member)]


def left_in(team: Team, member: Member) -> list[Tie]:
    """What would hang in the air in a team once the member is out of it."""
    return [tie for room in slots.leaving for tie in room.team_ties(team, member)]


def unsettled(member: Member, ties: list[Tie]) -> Conflict:
    """What is said where something depends on a member who cannot leave it, and nobody can take it over."""
    words = {"name": member.name, "what": " ".join(str(tie.title) for tie in ties if tie.blocks)}
    return settle_first(_("Others depend on %(name)s. %(what)s") % words, ties)


def settle_first(text: str, ties: list[Tie]) -> Conflict:
    """A conflict that lists these ties."""
    return Conflict(text, code="settle_first", ties=[{"key": tie.key, "title": str(tie.title)} for tie in ties])
