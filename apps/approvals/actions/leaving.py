"""Open assignments of a member who leaves go over to somebody else, with the same question."""

from __future__ import annotations

from uuid import UUID

from django.utils.translation import gettext as _

from apps.accounts.models import Member
from apps.audit.actions import record
from apps.tenants import clock
from apps.tenants.context import current
from apps.tenants.refusals import Refused
from apps.tenants.slots import Leaving, Tie

from .. import mails
from ..models import DECIDING_ROLES, Assignment, AssignmentState, Case, CaseState, CaseStep, Decision, StepState
from .cases import shut_out


def open_assignments(member: Member) -> list[Tie]:
    """One tie for each submission that waits for this member; its title is an answer, for whoever may read those."""
    reads = current().allows("submissions.read")
    rows = Assignment.objects.of(member).waiting().with_case()
    text = _("%(title)s (%(reference)s) waits for their decision.")
    return [
        Tie(
            f"assignment:{row.pk}",
            text % {"title": row.step.case.title if reads else _("A submission"), "reference": row.step.case.reference},
            needs_heir=True,
        )
        for row in rows
    ]


def reassign(tie: Tie, member: Member, heir: Member, by: Member) -> None:
    """Ask the heir instead. Raises Refused where they may not decide on it, or are asked already."""
    identity = UUID(tie.key.partition(":")[2])
    asked = Assignment.objects.select_related("step").get(pk=identity, person=member)
    # The case's row comes first, then the step's: every writer takes them in this order.
    case = Case.objects.select_for_update().get(pk=asked.step.case_id)
    step = CaseStep.objects.select_for_update().get(pk=asked.step_id)
    asked = Assignment.objects.select_for_update().get(pk=identity)
    if asked.state != AssignmentState.OPEN or step.state != StepState.OPEN or case.state != CaseState.IN_REVIEW:
        return
    words = {"name": heir.name, "reference": case.reference}
    step.case = case
    if heir.role not in DECIDING_ROLES or case.requester_id == heir.pk:
        raise Refused(_("%(name)s may not decide on %(reference)s.") % words, code="no_heir", field=tie.key)
    if heir.pk in shut_out(case, step.definition):
        text = _(
            "%(name)s had a part in %(reference)s before and may not decide this step; choose somebody else for it."
        )
        raise Refused(text % words, code="no_heir", field=tie.key)
    if (
        Assignment.objects.filter(step=step, person=heir).exists()
        or Decision.objects.filter(step=step, person=heir).exists()
    ):
        text = _("%(name)s is asked about %(reference)s already; choose somebody else for it.")
        raise Refused(text % words, code="no_heir", field=tie.key)
    asked.state = AssignmentState.CLOSED
    asked.save()
    made = Assignment.objects.create(step=step, person=heir, created_at=clock.now())
    facts = {"step": step.key, "from": str(member.pk), "to": str(heir.pk)}
    record("task.reassigned", mails.subject_of(case), made, facts=facts)
    mails.tasks_wait(case, step, [made])


LEAVING = Leaving("approvals.assignments", open_assignments, reassign, order=10)
