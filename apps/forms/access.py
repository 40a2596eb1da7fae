"""Who may do what on a form: the tenant matrix is the ceiling, grants decide within it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from apps.accounts.models import Member
from apps.tenants.refusals import Forbidden

from .models import Form, Grant, GrantRole, held_by
from .rules.filling import open_to

CAPABILITIES: dict[GrantRole, frozenset[str]] = {
    GrantRole.OWNER: frozenset({"manage", "edit", "review"}),
    GrantRole.EDITOR: frozenset({"edit"}),
    GrantRole.REVIEWER: frozenset({"review"}),
    GrantRole.FILLER: frozenset(),
}


def capabilities(form: Form, member: Member) -> frozenset[str]:
    """manage, edit, review, fill: what this member may do on this form."""
    return capabilities_by(Grant.objects.matching(member).filter(form=form), form, member)


def capabilities_by(grants: Iterable[Grant], form: Form, member: Member) -> frozenset[str]:
    """What these grants, which match the member, let them do within the ceiling of their tenant role."""
    roles = {grant.role for grant in grants}
    found: frozenset[str] = frozenset().union(*(CAPABILITIES[GrantRole(role)] for role in roles))
    if "forms.edit" not in held_by(member):
        found -= {"manage", "edit"}
    named = GrantRole.FILLER in roles
    if form.live_version_id is not None and form.filling in open_to(held_by(member), named=named):
        found |= {"fill"}
    return found


def may_fill(form: Form, member: Member) -> bool:
    """Whether the member may fill the form now; asked of the same rule as the list."""
    return Form.objects.fillable_by(member).filter(pk=form.pk).exists()


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
    may = capabilities_by(grants, form, member) if member.can_act else frozenset()
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
