"""Grants on a form."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from apps.accounts.models import Member, Team
from apps.accounts.rules import MATRIX, Role
from apps.audit.actions import record
from apps.tenants.freshness import require_fresh
from apps.tenants.refusals import Invalid, Refused

from ..access import demand
from ..models import Form, Grant, GrantRole, PrincipalType
from ..rules.filling import Filling
from ..rules.spec import Kind, Spec

MANAGING_ROLES = tuple(role for role, held in MATRIX.items() if "forms.edit" in held)


@transaction.atomic
def grant_access(form: Form, *, principal_type: str, principal_id: str, role: str, by: Member) -> Grant:
    """Give a person, role or team a role on the form; giving it twice is giving it once. Raises Invalid, Forbidden."""
    demand(form, by, "manage")
    if role == GrantRole.OWNER:
        require_fresh("form.own")
    return make_grant(form, role=role, **_principal(principal_type, principal_id))


def make_grant(form: Form, *, role: str, **principal: Any) -> Grant:
    grant, made = Grant.objects.get_or_create(form=form, role=GrantRole(role), **principal)
    if made:
        facts = {"principal_type": grant.principal_type, "principal": grant.principal_id, "role": str(role)}
        record("access.granted", form, grant, facts=facts)
    return grant


@transaction.atomic
def revoke_access(grant: Grant, *, by: Member) -> None:
    """Take a grant back. Raises Refused when nobody would be left to own the form, NotFresh for an owner's."""
    form = Form.objects.select_for_update().get(pk=grant.form_id)
    demand(form, by, "manage")
    if grant.role == GrantRole.OWNER:
        require_fresh("form.own")
    others = Grant.objects.filter(form=form, role=GrantRole.OWNER).exclude(pk=grant.pk)
    if grant.role == GrantRole.OWNER and not has_live_owner(others):
        raise Refused(_("A form keeps at least one owner who can sign in."), code="last_owner")
    facts = {"principal_type": grant.principal_type, "principal": grant.principal_id, "role": grant.role}
    record("access.revoked", form, grant, facts=facts)
    grant.delete()


@transaction.atomic
def set_filling(form: Form, *, filling: str, by: Member) -> Form:
    """Open the form to members, to those it names, or to anyone. Raises Forbidden, Invalid for what cannot be public."""
    demand(form, by, "manage")
    form = Form.objects.select_for_update(of=("self",)).select_related("live_version").get(pk=form.pk)
    before, form.filling = form.filling, Filling(filling)
    if form.filling == Filling.PUBLIC and form.live_version is not None:
        check_public(form.live_version.spec)
    if before != form.filling:
        form.save(update_fields=["filling"])
        record("filling.changed", form, facts={"filling": form.filling.value, "before": str(before)})
    return form


def check_public(spec: Spec) -> None:
    """Raise Invalid for a form that must not be shown to strangers: a list of people would name the members."""
    asked = [item for item in spec.fields for item in (item, *item.columns)]
    if any(item.kind is Kind.PERSON for item in asked):
        text = _("A form that asks for a person cannot be public: its list would show your members to anyone.")
        raise Invalid({"filling": [text]})


def has_live_owner(grants: Any, *, but: Member | None = None) -> bool:
    """Whether any of the grants resolves to an active member, other than this one, whose role may manage forms."""
    for grant in grants:
        people = Member.objects.people().filter(role__in=MANAGING_ROLES)
        if but is not None:
            people = people.exclude(pk=but.pk)
        if grant.principal_type == PrincipalType.USER:
            people = people.filter(pk=grant.principal_member_id)
        elif grant.principal_type == PrincipalType.ROLE:
            people = people.filter(role=grant.principal_role)
        else:
            people = people.in_team(grant.principal_team_id)
        if people.exists():
            return True
    return False


def _principal(principal_type: str, principal_id: str) -> dict[str, Any]:
    """The columns of a principal that exists in this tenant. Raises Invalid."""
    if principal_type == PrincipalType.ROLE:
        if principal_id not in Role.values:
            raise Invalid({"principal_id": [_("A role is owner, member or viewer.")]})
        return {"principal_type": PrincipalType.ROLE, "principal_role": principal_id}
    models: dict[str, Any] = {PrincipalType.USER: Member.objects.active(), PrincipalType.TEAM: Team.objects.all()}
    if principal_type not in models:
        raise Invalid({"principal_type": [_("A principal is a USER, a ROLE or a TEAM.")]})
    try:
        found = models[principal_type].filter(pk=UUID(principal_id)).first()
    except ValueError:
        found = None
    if found is None:
        raise Invalid({"principal_id": [_("There is nobody with this id here.")]})
    column = "principal_member" if principal_type == PrincipalType.USER else "principal_team"
    return {"principal_type": PrincipalType(principal_type), column: found}
