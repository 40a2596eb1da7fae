"""The form by which anyone reports a vulnerability of this installation: an ordinary public form of an ordinary tenant."""

from __future__ import annotations

import json
from pathlib import Path

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.accounts import actions as accounts
from apps.accounts.models import Member, Team
from apps.tenants.refusals import Refused

from ..models import Form
from ..rules.filling import Filling
from .forms import create_form, publish

SLUG = "vulnerability-report"
SOURCE = Path(__file__).resolve().parents[1] / "vulnerability_report.json"
TEAMS = {"security-triage": gettext_lazy("Security triage"), "security-owners": gettext_lazy("Security owners")}
FEWEST_OWNERS = 2


@transaction.atomic
def open_disclosure(*, by: Member, triage: list[Member], owners: list[Member]) -> Form:
    """Make and publish the report form of the tenant in force, with its teams, open to anyone.

    Raises Refused with fewer than two owners, since a second person verifies each fix, and where the form exists.
    """
    if len({member.pk for member in owners}) < FEWEST_OWNERS:
        raise Refused(_("Two people are needed: whoever confirms a report does not verify its fix."), code="four_eyes")
    if Form.objects.filter(slug=SLUG).exists():
        raise Refused(_("This tenant has the form already."), code="exists")
    text = SOURCE.read_text(encoding="utf-8")
    for slug, people in (("security-triage", triage), ("security-owners", owners)):
        team = Team.objects.filter(slug=slug).first() or accounts.create_team(name=str(TEAMS[slug]), slug=slug, by=by)
        for member in people:
            accounts.join_team(team, member, by=by)
        text = text.replace(f'"team:{slug}"', f'"{team.pk}"')
    form = create_form(by=by, filling=Filling.PUBLIC, **json.loads(text))
    publish(form, by=by)
    return Form.objects.select_related("live_version__path_version").get(pk=form.pk)
