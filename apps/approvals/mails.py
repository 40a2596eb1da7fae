"""Who is told what, by mail: those concerned and nobody else."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Member
from apps.audit.actions import Target
from apps.comms.actions import queue_mail
from apps.tenants.context import current_tenant
from apps.tenants.models import Tenant
from apps.tenants.refusals import Text

from .models import Assignment, Case, CaseState, CaseStep, Decision, Delegation

# What the end of a case is called towards somebody outside, who asked for no approval.
OUTSIDE: dict[str, Text] = {
    CaseState.APPROVED: _("completed"),
    CaseState.REJECTED: _("declined"),
    CaseState.IN_REVIEW: _("in progress"),
}

STUCK_PAGE = "settings/standing-still/"


def subject_of(case: Case) -> Target:
    """The subject as the audit log names it."""
    return Target("submission", case.subject_id, case.reference)


def tasks_wait(case: Case, step: CaseStep, asked: list[Assignment]) -> None:
    """To those who are asked, and to whoever stands in for one of them and may take it."""
    for assignment in asked:
        _task_waits(case, step, assignment, assignment.person)
    theirs = Delegation.objects.filter(person__in=[assignment.person_id for assignment in asked])
    if not theirs.in_period().exists():
        return
    for row in theirs.running().select_related("stand_in__user", "stand_in__tenant"):
        assignment = next(one for one in asked if one.person_id == row.person_id)
        if Assignment.objects.waiting_for(row.stand_in_id).filter(pk=assignment.pk).exists():
            _task_waits(case, step, assignment, row.stand_in)


def _task_waits(case: Case, step: CaseStep, assignment: Assignment, to: Member) -> None:
    due, other = "", to.pk != assignment.person_id
    if step.due_at:
        zone = to.tenant.timezone
        due = f"{date_format(step.due_at.astimezone(ZoneInfo(zone)), 'DATETIME_FORMAT')} ({zone})"
    dedupe = f"task:{assignment.pk}:{to.pk}" if other else f"task:{assignment.pk}"
    more = {"step": step.name, "due": due, "whom": assignment.person.name if other else ""}
    _send(case, to, "task_waits", dedupe, f"tasks/{assignment.pk}/", **more)


def case_decided(case: Case) -> None:
    """To the requester, or to the contact of a case from outside, when it has ended."""
    dedupe = f"decided:{case.pk}:{case.round}"
    if case.requester is not None:
        _send(case, case.requester, "decided", dedupe, _page(case), reason=_last_reason(case))
    elif case.contact:
        _send_outside(case, "outside_decided", dedupe, state=OUTSIDE.get(case.state, case.state))


def step_done(case: Case, step: CaseStep) -> None:
    """To the contact of a case from outside, when a step is done and the case goes on."""
    if case.requester is None and case.contact:
        _send_outside(case, "outside_step", f"step:{step.pk}", step=step.name)


def changes_asked(case: Case) -> None:
    """To the requester, when it comes back for changes."""
    if case.requester is not None:
        dedupe = f"changes:{case.pk}:{case.round}"
        _send(case, case.requester, "changes_asked", dedupe, _page(case), reason=_last_reason(case))


def path_is_stuck(case: Case, step: CaseStep, owners: list[Member]) -> None:
    """To the tenant's owners, who can name people for it."""
    for owner in owners:
        _send(case, owner, "stuck", f"stuck:{step.pk}:{owner.pk}", STUCK_PAGE, step=step.name, reason=step.reason)


def stand_in_named(made: Delegation, by: Member) -> None:
    """To the stand-in, and to whom it is for where an owner did it."""
    _send_about(made, made.stand_in, by, "stand_in_named", "tasks/")
    if by.pk != made.person_id:
        _send_about(made, made.person, by, "stand_in_set", "stand-in/")


def stand_in_ended(made: Delegation, by: Member) -> None:
    """To both, but not to who ended it."""
    for one in (made.stand_in, made.person):
        if one.pk != by.pk and one.can_act:
            _send_about(made, one, by, "stand_in_ended", "stand-in/")


def _send_about(made: Delegation, to: Member, by: Member, template: str, page: str) -> None:
    tenant = Tenant.objects.get(pk=current_tenant())
    zone = ZoneInfo(tenant.timezone)
    first, last = (date_format(one.astimezone(zone), "DATETIME_FORMAT") for one in (made.starts_at, made.last))
    context = {
        "name": to.name, "person": made.person.name, "stand_in": made.stand_in.name, "by": by.name, "note": made.note,
        "tenant": tenant.name, "from": first, "until": f"{last} ({tenant.timezone})",
        "link": f"{settings.PUBLIC_URL}/t/{tenant.slug}/{page}",
    }  # fmt: skip
    dedupe = f"{template}:{made.pk}:{to.pk}"
    queue_mail(to=to.email, template=f"approvals/mail/{template}", context=context, dedupe=dedupe, user_id=to.user_id)


def _send_outside(case: Case, template: str, dedupe: str, **more: object) -> None:
    """A mail without any text that came from outside, or a form open to anyone would carry it to whomever they name."""
    tenant = Tenant.objects.get(pk=current_tenant())
    context = {"reference": case.reference, "tenant": tenant.name, **more}
    queue_mail(to=case.contact, template=f"approvals/mail/{template}", context=context, dedupe=dedupe, user_id=None)


def _page(case: Case) -> str:
    return f"submissions/{case.subject_id}/"


def _last_reason(case: Case) -> str:
    last = Decision.objects.filter(step__case_id=case.pk).order_by("-decided_at", "-id").first()
    return last.reason if last else ""


def _send(case: Case, to: Member, template: str, dedupe: str, page: str, **more: str) -> None:
    if to.is_service:
        return  # a program has no mailbox; it hears by webhook
    context = {
        "name": to.name,
        "title": case.title,
        "reference": case.reference,
        "state": case.get_state_display(),  # type: ignore[attr-defined]
        "tenant": to.tenant.name,
        "link": f"{settings.PUBLIC_URL}/t/{to.tenant.slug}/{page}",
        **more,
    }
    queue_mail(to=to.email, template=f"approvals/mail/{template}", context=context, dedupe=dedupe, user_id=to.user_id)
