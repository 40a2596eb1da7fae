"""Who is told what, by mail: those concerned and nobody else."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils.formats import date_format

from apps.accounts.models import Member
from apps.audit.actions import Target
from apps.comms.actions import queue_mail
from apps.tenants.context import current_tenant
from apps.tenants.models import Tenant

from .models import Assignment, Case, CaseStep, Decision


def subject_of(case: Case) -> Target:
    """The subject as the audit log names it."""
    return Target("submission", case.subject_id, case.reference)


def task_waits(case: Case, step: CaseStep, assignment: Assignment) -> None:
    """To the person who is asked."""
    person = assignment.person
    due = ""
    if step.due_at:
        zone = Tenant.objects.get(pk=current_tenant()).timezone
        due = f"{date_format(step.due_at.astimezone(ZoneInfo(zone)), 'DATETIME_FORMAT')} ({zone})"
    _send(
        case,
        person,
        "task_waits",
        f"task:{assignment.pk}",
        f"tasks/{assignment.pk}/",
        step=step.name,
        due=due,
    )


def case_decided(case: Case) -> None:
    """To the requester, when it has ended."""
    _send(case, case.requester, "decided", f"decided:{case.pk}:{case.round}", _page(case), reason=_last_reason(case))


def changes_asked(case: Case) -> None:
    """To the requester, when it comes back for changes."""
    dedupe = f"changes:{case.pk}:{case.round}"
    _send(case, case.requester, "changes_asked", dedupe, _page(case), reason=_last_reason(case))


def path_is_stuck(case: Case, step: CaseStep, owners: list[Member]) -> None:
    """To the tenant's owners, who can put people where they are missing."""
    for owner in owners:
        _send(case, owner, "stuck", f"stuck:{step.pk}:{owner.pk}", _page(case), step=step.name, reason=step.reason)


def _page(case: Case) -> str:
    return f"submissions/{case.subject_id}/"


def _last_reason(case: Case) -> str:
    last = Decision.objects.filter(step__case_id=case.pk).order_by("-decided_at", "-id").first()
    return last.reason if last else ""


def _send(case: Case, to: Member, template: str, dedupe: str, page: str, **more: str) -> None:
    tenant = Tenant.objects.get(pk=current_tenant())
    context = {
        "name": to.name,
        "title": case.title,
        "reference": case.reference,
        "state": case.get_state_display(),  # type: ignore[attr-defined]
        "tenant": tenant.name,
        "link": f"{settings.PUBLIC_URL}/t/{tenant.slug}/{page}",
        **more,
    }
    queue_mail(to=to.email, template=f"approvals/mail/{template}", context=context, dedupe=dedupe, user_id=to.user_id)
