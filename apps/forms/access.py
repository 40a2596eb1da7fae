"""Who may do what on a form: the tenant matrix is the ceiling, grants decide within it."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

from django.db import connections, router

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
# As `Grant.objects.matching` says it; tests compare both with one oracle.
ROLES = """
    SELECT DISTINCT g.role FROM forms_grant g
    WHERE g.tenant_id = %s AND g.form_id = %s AND (
      (g.principal_type = 'USER' AND g.principal_member_id = %s)
      OR (g.principal_type = 'ROLE' AND g.principal_role = %s)
      OR (g.principal_type = 'TEAM' AND g.principal_team_id IN (
        SELECT s.team_id FROM accounts_teammember s WHERE s.tenant_id = %s AND s.member_id = %s)))"""


def capabilities(form: Form, member: Member) -> frozenset[str]:
    """manage, edit, review, fill: what this member may do on this form."""
    return capabilities_by(roles_on(form, member), form, member)


def roles_on(form: Form, member: Member) -> set[str]:
    """The roles that `Grant.objects.matching` finds, by a statement that is not built anew for each check."""
    values = [member.tenant_id, form.pk, member.pk, member.role, member.tenant_id, member.pk]
    with connections[router.db_for_read(Grant)].cursor() as cursor:
        cursor.execute(ROLES, values)
        return {role for (role,) in cursor.fetchall()}


def capabilities_by(roles: Set[str], form: Form, member: Member) -> frozenset[str]:
    """What grants with these roles, which match the member, let them do within the ceiling of their tenant role."""
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
