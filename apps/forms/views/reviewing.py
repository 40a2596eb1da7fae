"""Submissions and tasks: what was sent, where it stands, and the decision."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

from django.http import FileResponse, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.loader import render_to_string
from django.utils.translation import gettext_lazy

from apps.approvals import actions as approvals
from apps.approvals.models import Assignment, AssignmentState, CaseState
from apps.approvals.timeline import earlier_rounds, route_of
from apps.audit.receipts import newest_of_mine
from apps.tenants.context import require
from apps.tenants.pages import PageRequest, page, refusal_on, turl
from apps.tenants.refusals import Conflict
from apps.tenants.slots import slots
from apps.tenants.windows import window

from .. import actions, attested
from ..inputs import DecisionInput
from ..models import Attachment, Form, Submission
from ..show import shown

PAGE_SIZE = 25
STATES = [("draft", gettext_lazy("draft")), *CaseState.choices]


def submissions(request: PageRequest, tenant: str) -> HttpResponse:
    """Submissions that I may see; filters in the address."""
    rows = Submission.objects.visible_to(request.member).with_all()
    asked = {key: request.GET.get(key, "") for key in ("state", "form", "mine", "q")}
    if asked["state"] in dict(STATES):
        rows = rows.in_state(asked["state"])
    if asked["form"]:
        rows = rows.filter(form__slug=asked["form"])
    if asked["mine"]:
        rows = rows.filter(submitter=request.member)
    if asked["q"]:
        rows = rows.filter(reference__istartswith=asked["q"].strip()) | rows.filter(title__icontains=asked["q"].strip())
    context = {
        "window": window(rows, request.GET, by="changed_at", size=PAGE_SIZE),
        "asked": asked,
        "states": STATES,
        "forms": Form.objects.visible_to(request.member).order_by("title").values("slug", "title"),
    }
    return page(request, "forms/submissions.html", context)


def submission(request: PageRequest, tenant: str, pk: UUID) -> HttpResponse:
    """One submission: answers, files, where it stands, and what I can do now."""
    found = _visible(request, pk)
    if found.state == Submission.DRAFT:
        return redirect(turl(request, "forms:draft", pk=pk))
    mine = found.submitter_id == request.member.pk
    mine_to_decide = Assignment.objects.waiting_for(request.member.pk)
    asked = found.case and mine_to_decide.filter(step__case=found.case).first()
    context = _context(found) | {"mine": mine, "task": asked, "sent": "sent" in request.GET}
    context["receipt"] = newest_of_mine(found.pk, "submission.sent")
    return page(request, "forms/submission.html", context)


def withdraw(request: PageRequest, tenant: str, pk: UUID) -> HttpResponse:
    """POST takes an open submission back."""
    found = _visible(request, pk)
    if request.method == "POST":
        actions.withdraw(found, by=request.member)
    return redirect(turl(request, "forms:submission", pk=pk))


def tasks(request: PageRequest, tenant: str) -> HttpResponse:
    """What waits for me, the oldest first; and what I have decided."""
    require("tasks.decide")
    rows = Assignment.objects.with_case()
    done = rows.done_with(request.member).prefetch_related("decisions__person__user")
    context = {"tasks": rows.waiting_for(request.member.pk), "done": done[:PAGE_SIZE]}
    return page(request, "forms/tasks.html", context)


def task(request: PageRequest, tenant: str, pk: UUID) -> HttpResponse:
    """A submission for its reviewer: what was asked, the decision, the history. POST decides."""
    require("tasks.decide")
    assignment = get_object_or_404(Assignment.objects.seen_by(request.member).with_case(), pk=pk)
    asked = DecisionInput(request.POST or None)
    status, stale = 200, ""
    if request.method == "POST":
        status = 422
        if asked.is_valid():
            try:
                with refusal_on(asked):
                    approvals.decide(assignment, by=request.member, **asked.cleaned_data)
                    return redirect(turl(request, "forms:task", pk=pk) + "?decided=1")
            except Conflict as conflict:
                status, stale = 409, str(conflict.detail)
    return task_page(request, assignment, asked, stale=stale, status=status)


def task_page(
    request: PageRequest, assignment: Assignment, asked: DecisionInput, *, stale: str = "", status: int = 200
) -> HttpResponse:
    """The page of a task, with what was typed into the decision so far."""
    found = get_object_or_404(Submission.objects.with_all(), pk=assignment.step.case.subject_id)
    waiting = Assignment.objects.waiting_for(request.member.pk)
    panels = [
        render_to_string(
            panel.template, {**panel.context(request, assignment, found), "tenant": request.tenant}, request
        )
        for panel in slots.task_panels
    ]
    context = _context(found)
    context |= {
        "assignment": assignment,
        "decision": asked,
        "stale": stale,
        "decided": "decided" in request.GET,
        "is_other": assignment.person_id != request.member.pk,
        "is_open": assignment.state == AssignmentState.OPEN,
        "may_decide": not context["changed"] and waiting.filter(pk=assignment.pk).exists(),
        "said": assignment.decisions.select_related("person__user", "on_behalf_of__user").first(),  # type: ignore[attr-defined]
        "next_task": waiting.exclude(pk=assignment.pk).first(),
        "panels": panels,
        "receipt": newest_of_mine(found.pk, "submission.decided"),
    }
    return page(request, "forms/task.html", context, status=status)


def download(request: PageRequest, tenant: str, pk: UUID) -> FileResponse:
    """A file of a submission that I may see."""
    rows = Attachment.objects.filter(submission__in=Submission.objects.visible_to(request.member))
    return file_answer(get_object_or_404(rows.select_related("submission"), pk=pk), request.member)


def file_answer(attachment: Attachment, member: Any) -> FileResponse:
    """The bytes as a download that no browser runs or shows."""
    return as_download(actions.download(attachment, by=member), attachment.name)


def as_download(place: Path, name: str) -> FileResponse:
    """A file that is saved under a name and that no browser runs or shows."""
    answer = FileResponse(place.open("rb"), as_attachment=True, filename=name, content_type="application/octet-stream")
    answer["Content-Security-Policy"] = "default-src 'none'; sandbox"
    answer["X-Content-Type-Options"] = "nosniff"
    return answer


def _visible(request: PageRequest, pk: UUID) -> Submission:
    rows = Submission.objects.visible_to(request.member).with_all().select_related("case__path_version")
    return get_object_or_404(rows, pk=pk)


def _context(found: Submission) -> dict[str, Any]:
    """What the submitter's and the reviewer's page share; answers that are not those that were sent are not shown."""
    assert found.case is not None
    assert found.current_revision is not None
    is_whole = attested.is_as_sent(found.current_revision, found.form_version)
    files = list(Attachment.objects.filter(submission=found))
    return {
        "submission": found,
        "revision": found.current_revision,
        "changed": "" if is_whole else attested.CHANGED,
        "sections": shown(found.form_version.spec, found.current_revision.data, files) if is_whole else [],
        "route": route_of(found.case),
        "earlier": earlier_rounds(found.case),
    }
