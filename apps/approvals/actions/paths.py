"""Publishing paths."""

from __future__ import annotations

import hashlib
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from apps.accounts.models import Member, Team
from apps.audit import canonical
from apps.audit.actions import record
from apps.tenants.refusals import Invalid

from ..models import Path, PathVersion
from ..rules.definition import Step, read_path


@transaction.atomic
def publish_path(path: Path | None, *, title: str, definition: dict[str, Any], by: Member) -> PathVersion:
    """Freeze a definition as the next version of a path, or of a new one; an unchanged one keeps its version.

    Raises Invalid naming each place, a team or member that does not exist here included.
    """
    steps = read_path(definition)
    if errors := _missing(steps):
        raise Invalid(errors)
    digest = hashlib.sha256(canonical.encode(definition)).hexdigest()
    if path is None:
        path = Path.objects.create(title=title)
    else:
        # Two people who publish at once must not take the same number.
        path = Path.objects.select_for_update().get(pk=path.pk)
        path.title = title
        path.save()
    last = path.versions.order_by("-number").first()
    if last is not None and last.sha256 == digest:
        return last
    number = last.number + 1 if last else 1
    version = PathVersion.objects.create(path=path, number=number, definition=definition, sha256=digest)
    record("path.published", path, facts={"version": number, "sha256": digest, "steps": [step.key for step in steps]})
    return version


def check_path(definition: dict[str, Any]) -> None:
    """As publishing would check it, without writing. Raises Invalid."""
    if errors := _missing(read_path(definition)):
        raise Invalid(errors)


def _missing(steps: tuple[Step, ...]) -> dict[str, list[str]]:
    """Teams and members that a definition names and this tenant does not have."""
    teams = {str(pk) for pk in Team.objects.values_list("pk", flat=True)}
    members = {str(pk) for pk in Member.objects.people().values_list("pk", flat=True)}
    errors: dict[str, list[str]] = {}
    for index, step in enumerate(steps):
        for position, approver in enumerate(step.approvers):
            place = f"path.steps.{index}.approvers.{position}.id"
            if approver.type == "team" and approver.id not in teams:
                errors[place] = [_("There is no such team.")]
            elif approver.type == "user" and approver.id not in members:
                errors[place] = [_("There is no such active member.")]
    return errors
