"""Who may do what on a form: the tenant matrix is the ceiling, grants decide within it."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from typing import Any

from django.db import connections, router
from django.http import Http404
from django.shortcuts import get_object_or_404

from apps.accounts.models import Member
from apps.tenants.backend import asking
from apps.tenants.refusals import Forbidden

from .models import ROLES_ON, WORKING, Form, FormQuerySet, Grant, GrantRole, held_by
from .rules.filling import open_to

CAPABILITIES: dict[GrantRole, frozenset[str]] = {
    GrantRole.OWNER: frozenset({"manage", "edit", "review"}),
    GrantRole.EDITOR: frozenset({"edit"}),
    GrantRole.REVIEWER: frozenset({"review"}),
    GrantRole.FILLER: frozenset(),
}


def capabilities(form: Form, member: Member) -> frozenset[str]:
    """manage, edit, review, fill: what this member may do on this form."""
    return capabilities_by(roles_on(form, member), form, member)


def roles_on(form: Form, member: Member) -> set[str]:
    """The roles that `Grant.objects.matching` finds, by its text kept as a function that the database plans only once."""
    found = asking.ask(
        connections[router.db_for_read(Grant)], ROLES_ON, member.tenant_id, form.pk, member.pk, member.role
    )
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


@dataclass(frozen=True)
class Look:
    """A form as a member sees it, and what they may do there: manage, edit, review, fill.

    For what is shown. An act asks `demand` again, inside its transaction.
    """

    form: Form
    member: Member
    may: frozenset[str]

    @property
    def has_trail(self) -> bool:
        """Whether the member may read every act about the form."""
        return "audit.read" in held_by(self.member) or "manage" in self.may

    def demand(self, capability: str) -> None:
        """Raise Forbidden unless the member has the capability."""
        if capability not in self.may:
            raise Forbidden()

    def demand_trail(self) -> None:
        """Raise Forbidden unless the member may read every act about the form."""
        if not self.has_trail:
            raise Forbidden()


def look(member: Member, rows: FormQuerySet, **which: Any) -> Look:
    """The one of these forms and what the member may do there, by one statement. Raises Http404 for what is not visible.

    Visible is what `FormQuerySet.visible_to` lists.
    """
    form = get_object_or_404(rows.with_roles_of(member), **which)
    roles = set(form.roles_held)
    may = capabilities_by(roles, form, member)
    if "fill" not in may and not roles & set(WORKING):
        raise Http404
    return Look(form, member, may)


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
    return Look(form, member, capabilities(form, member)).has_trail


def demand(form: Form, member: Member, capability: str) -> None:
    """Raise Forbidden unless the member has the capability on the form."""
    if capability not in capabilities(form, member):
        raise Forbidden()
