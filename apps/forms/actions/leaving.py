"""Forms that only a leaving member owns, and live paths that name them, go over to somebody who can look after them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from apps.accounts.models import Member, Team
from apps.approvals.models import DECIDING_ROLES
from apps.tenants.freshness import require_fresh
from apps.tenants.refusals import Refused
from apps.tenants.slots import Leaving, Tie

from ..models import Form, Grant, GrantRole, PrincipalType
from .access import has_live_owner, make_grant
from .forms import publish_path_of


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
    """Make the heir an owner of the form. Raises NotFresh, Refused for one whose role may not change forms."""
    require_fresh("form.own")
    form = Form.objects.select_for_update(of=("self",)).get(pk=UUID(tie.key.partition(":")[2]))
    if "forms.edit" not in heir.permissions:
        words = {"name": heir.name, "title": form.title}
        raise Refused(_("%(name)s only reads and cannot own %(title)s.") % words, code="no_heir", field=tie.key)
    make_grant(form, role=GrantRole.OWNER, principal_type=PrincipalType.USER, principal_member=heir)


def named_in_paths(member: Member) -> list[Tie]:
    """One tie for each form whose path in force names the member as one who decides."""
    text = _("The path of the form %(title)s names them as one who decides.")
    return [
        Tie(f"path:{form.pk}", text % {"title": form.title}, needs_heir=True)
        for form in _with_paths()
        if _names(form, "user", member.pk)
    ]


def take_over_path(tie: Tie, member: Member, heir: Member, by: Member) -> None:
    """Publish the form's version in force again, with the heir where its path named somebody who left; drafts follow.

    Submissions that are under way go on with the path that they began with. Raises Refused for one who does not decide.
    """
    form = Form.objects.select_for_update(of=("self",)).get(pk=UUID(tie.key.partition(":")[2]))
    if heir.role not in DECIDING_ROLES or heir.is_service:
        words = {"name": heir.name, "title": form.title}
        text = _("%(name)s does not decide and cannot stand in the path of %(title)s.")
        raise Refused(text % words, code="no_heir", field=tie.key)
    people = {str(pk) for pk in Member.objects.people().values_list("pk", flat=True)}
    publish_path_of(form, lambda definition: _handed_over(definition, people, heir), by=by)


def left_by(team: Team, member: Member) -> list[Tie]:
    """What stands still or belongs to nobody once this member, the last of the team who can act, is out of it."""
    acting = team.members.filter(role__in=DECIDING_ROLES)
    if set(acting.values_list("pk", flat=True)) != {member.pk}:
        return []
    path, owner = _("The path of the form %(title)s asks this team."), _("The team owns the form %(title)s.")
    ties = [
        Tie(f"path:{form.pk}", path % {"title": form.title}) for form in _with_paths() if _names(form, "team", team.pk)
    ]
    grants = Grant.objects.filter(role=GrantRole.OWNER)
    for grant in grants.filter(principal_team=team).select_related("form").order_by("form__title"):
        if not has_live_owner(grants.filter(form_id=grant.form_id).exclude(pk=grant.pk)):
            ties.append(Tie(f"form:{grant.form_id}", owner % {"title": grant.form.title}, needs_heir=True))
    return ties


def _with_paths() -> Any:
    return Form.objects.filter(live_version__path_version__isnull=False).select_related(
        "live_version__path_version"
    ).order_by("title")  # fmt: skip


def _names(form: Form, kind: str, pk: UUID) -> bool:
    steps = form.live_version.path_version.steps  # type: ignore[union-attr]
    return any((one.type, one.id) == (kind, str(pk)) for step in steps for one in step.approvers)


def _handed_over(definition: dict[str, Any], people: set[str], heir: Member) -> dict[str, Any]:
    """The definition with the heir, once a step, in the place of each person who is not here any more."""
    steps = []
    for step in definition["steps"]:
        approvers = [
            one if one["type"] != "user" or one["id"] in people else {"type": "user", "id": str(heir.pk)}
            for one in step["approvers"]
        ]
        steps.append({**step, "approvers": [one for n, one in enumerate(approvers) if one not in approvers[:n]]})
    return {**definition, "steps": steps}


LEAVING = Leaving("forms.owned", owned_alone, hand_over, order=20, team_ties=left_by)
PATHS = Leaving("forms.paths", named_in_paths, take_over_path, order=30)
