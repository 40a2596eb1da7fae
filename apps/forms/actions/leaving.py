"""Forms that only a leaving member owns go over to somebody who can look after them."""

from __future__ import annotations

from uuid import UUID

from django.utils.translation import gettext as _

from apps.accounts.models import Member
from apps.tenants.refusals import Refused
from apps.tenants.slots import Leaving, Tie

from ..models import Form, Grant, GrantRole, PrincipalType
from .access import has_live_owner, make_grant


def owned_alone(member: Member) -> list[Tie]:
    """One tie for each form that nobody else could manage: their own grant, or a team's or role's that is only them."""
    forms = Form.objects.granted_to(member, GrantRole.OWNER).order_by("title")
    owners = Grant.objects.filter(role=GrantRole.OWNER)
    text = _("Nobody else owns the form %(title)s.")
    return [
        Tie(f"form:{form.pk}", text % {"title": form.title}, needs_heir=True)
        for form in forms
        if not has_live_owner(owners.filter(form=form), but=member)
    ]


def hand_over(tie: Tie, member: Member, heir: Member, by: Member) -> None:
    """Make the heir an owner of the form. Raises Refused for one whose role may not change forms."""
    form = Form.objects.select_for_update(of=("self",)).get(pk=UUID(tie.key.partition(":")[2]))
    if "forms.edit" not in heir.permissions:
        words = {"name": heir.name, "title": form.title}
        raise Refused(_("%(name)s only reads and cannot own %(title)s.") % words, code="no_heir", field=tie.key)
    make_grant(form, role=GrantRole.OWNER, principal_type=PrincipalType.USER, principal_member=heir)


LEAVING = Leaving("forms.owned", owned_alone, hand_over, order=20)
