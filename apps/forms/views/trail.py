"""What was done to one form or one submission: rows of the audit log, for whoever may see that thing."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404

from apps.audit.filters import page_of
from apps.audit.models import Entry, EntryQuerySet
from apps.audit.rows import rows_of
from apps.audit.sealer import seal
from apps.audit.viewing import viewed
from apps.tenants.context import current_tenant
from apps.tenants.pages import PageRequest, page, turl

from ..access import look, may_read_trail
from ..models import Form, Submission

PAGE_SIZE = 50
# What everybody who sees a submission is shown of it elsewhere too: its way. The rest is for those who manage the form.
ITS_WAY = (
    "submission.started", "submission.sent", "submission.decided", "case.opened", "case.resubmitted", "case.approved",
    "case.rejected", "case.withdrawn", "case.sent_back", "step.opened", "step.skipped", "step.approved", "step.rejected",
)  # fmt: skip


def form_trail(request: PageRequest, tenant: str, slug: str) -> HttpResponse:
    """What was done to a form, for those who manage it and those who may read the whole log."""
    seen = look(request.member, Form.objects.all(), slug=slug)
    seen.demand_trail()
    found = seen.form
    context = {"title": found.title, "back": turl(request, "forms:form", slug=slug), "kind": "form"}
    return _trail(request, Entry.objects.about(found), found.pk, context)


def submission_trail(request: PageRequest, tenant: str, pk: UUID) -> HttpResponse:
    """What was done to a submission, for those who may see it: its way to all of them, all else to managers of the form."""
    rows = Submission.objects.visible_to(request.member).select_related("form")
    found = get_object_or_404(rows, pk=pk)
    entries = Entry.objects.about(found)
    is_whole = may_read_trail(found.form, request.member)
    if not is_whole:
        entries = entries.filter(action__in=ITS_WAY)
    title = found.title or found.reference or found.form.title
    back = turl(request, "forms:submission", pk=pk)
    return _trail(
        request, entries, found.pk, {"title": title, "back": back, "kind": "submission", "part": not is_whole}
    )


def _trail(request: PageRequest, entries: EntryQuerySet, about: UUID, context: dict[str, Any]) -> HttpResponse:
    seal(current_tenant())
    shown = page_of(entries, request.GET.dict(), PAGE_SIZE)
    viewed({"target": about}, door="trail")
    whole = {"rows": rows_of(shown.rows), "window": shown, "about": about}
    return page(request, "forms/trail.html", whole | context)
