"""A member leaves: what depends on them is shown and goes over to others, in the same act that shuts them out."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import transaction
from django.utils.translation import gettext as _

from apps.audit.actions import record
from apps.tenants.freshness import require_fresh
from apps.tenants.refusals import Conflict, Refused
from apps.tenants.slots import Leaving, Tie, slots

from ..models import ApiKey, Member
from ..people import memberships
from ..rules import Role
from .api_keys import end_api_keys
from .families import end_families
from .members import each_tie, keep_an_owner, locked
from .sessions import end_sessions

Heirs = Mapping[str, Member]


@transaction.atomic
def deactivate(member: Member, *, by: Member, heir: Member | None = None, heirs: Heirs | None = None) -> Member:
    """Shut a member out of the tenant, hand over what depended on them, and end their tokens and keys at once.

    `heirs` names who takes which tie, `heir` takes the rest. Raises Refused for oneself, for the last owner and for an
    heir who cannot take something; Conflict with the list of ties where somebody must take them and nobody is named;
    NotFresh for an owner, and where a form gets another owner.
    """
    member = locked(member.pk)
    if member.pk == by.pk:
        raise Refused(_("You cannot shut yourself out; another owner can."), code="own_membership")
    if not member.is_active:
        return member
    if member.role == Role.OWNER:
        require_fresh("role.owner")
        keep_an_owner(member)
    member.is_active = False
    member.save()
    handed = _settle(member, heir, heirs or {}, by)
    for room in slots.leaving:
        room.end(member, by)
    record("member.deactivated", member, facts={"handed_over": handed})
    end_api_keys(member)
    end_families(member.user_id, member.tenant_id)
    if not memberships(member.user_id):
        end_sessions(member.user_id)
    return member


def _settle(member: Member, heir: Member | None, heirs: Heirs, by: Member) -> dict[str, str]:
    """Hand over each tie that needs it; tie -> heir's id."""
    found = [(room, tie, heirs.get(tie.key) or heir) for room, tie in each_tie(member) if tie.needs_heir]
    if [tie for _room, tie, taker in found if taker is None]:
        listed = [{"key": tie.key, "title": str(tie.title)} for _room, tie, _taker in found]
        text = _("Others depend on %(name)s: say who takes over what is theirs alone.") % {"name": member.name}
        raise Conflict(text, code="settle_first", ties=listed)
    for room, tie, taker in found:
        if taker is None or taker.pk == member.pk or not taker.can_act:
            raise Refused(_("Choose somebody who is active here."), code="no_heir", field="hand_to")
        room.settle(tie, member, taker, by)
    return {tie.key: str(taker.pk) for _room, tie, taker in found if taker is not None}


def _keys_of(member: Member) -> list[Tie]:
    rows = ApiKey.objects.alive().filter(member=member).order_by("created_at")
    text = _("The API key %(name)s ends; a program that uses it stops.")
    return [Tie(f"key:{key.pk}", text % {"name": key.name}) for key in rows]


def _nothing(tie: Tie, member: Member, heir: Member, by: Member) -> None:
    """Keys end with their member and are never handed over."""


KEYS = Leaving("accounts.keys", _keys_of, _nothing, order=90)
