"""Who may do what on a form: the tenant matrix is the ceiling, grants decide within it."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

from django.db import connections, router

from apps.accounts.models import Member
from apps.tenants.backend import asking
from apps.tenants.refusals import Forbidden

from .models import Form, Grant, GrantRole, held_by
from .rules.filling import open_to

CAPABILITIES: dict[GrantRole, frozenset[str]] = {
    GrantRole.OWNER: frozenset({"manage", "edit", "review"}),
    GrantRole.EDITOR: frozenset({"edit"}),
    GrantRole.REVIEWER: frozenset({"review"}),
    GrantRole.FILLER: frozenset(),
}
ROLES = "orkestra_roles_on"


def capabilities(form: Form, member: Member) -> frozenset[str]:
    """manage, edit, review, fill: what this member may do on this form."""
    return capabilities_by(roles_on(form, member), form, member)


def roles_on(form: Form, member: Member) -> set[str]:
    """The roles that `Grant.objects.matching` finds, by its text kept as a function that the database plans only once."""
    found = asking.ask(connections[router.db_for_read(Grant)], ROLES, member.tenant_id, form.pk, member.pk, member.role)
    return set(found.strip("{}").split(",")) - {""}


def capabilities_by(roles: Set[str], form: Form, member: Member) -> frozenset[str]:
    """What grants with these roles, which match the member, let them do within the ceiling of their tenant role."""
    found: frozenset[str] = frozenset().union(*(CAPABILITIES[GrantRole(role)] for role in roles))
    held = held_by(member)
    if "forms.edit" not in held:
        found -= {"manage", "edit"}
    named = GrantRole.FILLER in roles
    if form.live_version_id is not None and form.filling in open_to(held, named=named):
        found |= {"fill"}
    return found


def may_fill(form: Form, member: Member) -> bool:
    """Whether the member may fill the form."""
    return "fill" in capabilities(form, member)


@dataclass(frozen=True)
class Explained:
    """What a member may do on a form, and every grant that is a reason; `ceiling` is what their role leaves of it."""

    member: Member
    may: list[str]
    grants: list[Grant]
    ceiling: list[str]


def explained(form: Form, member: Member) -> Explained:
    """Why this person may do what they may do: asked of the very rules that are enforced."""
    rows = Grant.objects.matching(member).filter(form=form)
    grants = list(rows.select_related("principal_member__user", "principal_team").order_by("created_at"))
    may = capabilities_by({grant.role for grant in grants}, form, member) if member.can_act else frozenset()
    return Explained(member, sorted(may), grants, sorted(member.permissions))


def may_read_trail(form: Form, member: Member) -> bool:
    """Whether the member may read every act about a form: who manages it, and who may read the whole log."""
    return "audit.read" in held_by(member) or "manage" in capabilities(form, member)


def demand_trail(form: Form, member: Member) -> None:
    """Raise Forbidden unless the member may read every act about the form."""
    if not may_read_trail(form, member):
        raise Forbidden()


def demand(form: Form, member: Member, capability: str) -> None:
    """Raise Forbidden unless the member has the capability on the form."""
    if capability not in capabilities(form, member):
        raise Forbidden()
