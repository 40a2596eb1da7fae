"""Filling a form: every page with a file, a new row or a fault is a draft, so that nothing typed is ever lost."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect

from apps.accounts.models import Member
from apps.tenants.ids import id_in
from apps.tenants.pages import PageRequest, page, turl
from apps.tenants.refusals import Invalid, TooLarge, Unavailable, flatten

from .. import actions
from ..actions.files import check_editable
from ..actions.submissions import judge, known
from ..inputs import draw, field_id, read_post
from ..models import Attachment, Form, Submission
from ..rules.answers import Answers, read_answers
from ..rules.spec import Kind, Spec
from ..show import computed, shown


def fill(request: PageRequest, tenant: str, slug: str) -> HttpResponse:
    """An empty form; the first POST makes it a draft."""
    form = get_object_or_404(
        Form.objects.fillable_by(request.member).select_related("live_version__path_version"), slug=slug
    )
    assert form.live_version is not None
    if request.method != "POST":
        return _draw(request, form.live_version.spec, {}, None, form=form)
    draft = actions.start_draft(form, by=request.member)
    return _take(request, draft)


def draft(request: PageRequest, tenant: str, pk: UUID) -> HttpResponse:
    """A submission that can still be changed by whoever fills it."""
    found = _mine(request, pk)
    if request.method == "POST":
        return _take(request, found)
    return _draw(request, found.form_version.spec, found.draft_data, found)


def check(request: PageRequest, tenant: str, pk: UUID) -> HttpResponse:
    """Check your answers; POST sends them."""
    found = _mine(request, pk)
    answers = judge(found)
    if answers.errors:
        return _draw(request, found.form_version.spec, found.draft_data, found, answers=answers)
    if request.method == "POST":
        sent = actions.submit(found, by=request.member)
        return redirect(turl(request, "forms:submission", pk=sent.pk) + "?sent=1")
    files = list(Attachment.objects.filter(submission=found))
    context = {"submission": found, "sections": shown(found.form_version.spec, answers.data, files)}
    return page(request, "forms/check.html", context)


def preview(request: PageRequest, tenant: str, slug: str) -> HttpResponse:
    """What shows and what is computed for the answers so far; the same code that judges them when they are sent."""
    form = get_object_or_404(Form.objects.fillable_by(request.member).select_related("live_version"), slug=slug)
    pinned = request.POST.get("submission", "")
    version = form.live_version
    if pinned:
        version = _mine(request, id_in(pinned)).form_version
    assert version is not None
    return JsonResponse(preview_of(version.spec, request.POST))


def preview_of(spec: Spec, post: QueryDict) -> dict[str, Any]:
    """What a page shows for these answers: which fields, which are required, and the computed numbers."""
    answers = read_answers(spec, read_post(spec, post))
    return {
        "show": {item.name: item.name in answers.shown for item in spec.fields},
        "required": {item.name: item.name in answers.required or item.computed is not None for item in spec.fields},
        "values": {
            item.name: computed(item, answers.data.get(item.name)) for item in spec.fields if item.computed is not None
        },
    }


def _mine(request: HttpRequest, pk: UUID) -> Submission:
    """The draft, if it is mine and can be changed; 409 once it was sent."""
    member: Member = request.member  # type: ignore[attr-defined]
    rows = Submission.objects.filter(submitter=member).with_all().select_related("form_version__path_version")
    found = get_object_or_404(rows, pk=pk)
    check_editable(found, member)
    if found.current_revision and not found.draft_data and request.method == "GET":
        found.draft_data = dict(found.current_revision.data)
    return found


def _take(request: PageRequest, found: Submission) -> HttpResponse:
    """Keep what was typed and attached, then do what the pressed button asks."""
    spec = found.form_version.spec
    asked = request.POST.get("do", "continue")
    _restore_files(found)
    data = read_post(spec, request.POST)
    if asked.startswith("remove-row:"):
        data = without_row(data, asked)
    found = actions.save_draft(found, data=data, by=request.member)
    faults = _attach(request, found, spec)
    if asked.startswith("remove-file:"):
        file = get_object_or_404(Attachment, submission=found, pk=id_in(asked.partition(":")[2]))
        actions.remove_attachment(file, by=request.member)
    found = Submission.objects.with_all().select_related("form_version__path_version").get(pk=found.pk)
    here = turl(request, "forms:draft", pk=found.pk)
    if faults:
        return _draw(request, spec, found.draft_data, found, extra=faults)
    if asked.startswith("add-row:"):
        return redirect(f"{here}?rows={asked.partition(':')[2]}#{field_id(asked.partition(':')[2])}")
    if asked == "continue":
        answers = judge(found)
        if answers.errors:
            return _draw(request, spec, found.draft_data, found, answers=answers)
        return redirect(turl(request, "forms:check", pk=found.pk))
    return redirect(here + ("?saved=1" if asked == "save" else ""))


def _restore_files(found: Submission) -> None:
    """A correction starts from the files of the revision that was sent back."""
    if found.current_revision and not found.draft_data:
        files = {item.name for item in found.form_version.spec.fields if item.kind is Kind.FILE}
        found.draft_data = {name: value for name, value in found.current_revision.data.items() if name in files}
        found.save(update_fields=["draft_data"])


def without_row(data: dict[str, Any], asked: str) -> dict[str, Any]:
    """The answers without the row that `remove-row:<field>:<index>` names."""
    name, _colon, index = asked.partition(":")[2].partition(":")
    rows = data.get(name)
    if isinstance(rows, list) and index.isdigit() and int(index) < len(rows):
        rows = rows[: int(index)] + rows[int(index) + 1 :]
    return {**data, name: rows} if rows else {key: value for key, value in data.items() if key != name}


def _attach(request: HttpRequest, found: Submission, spec: Spec) -> dict[str, list[str]]:
    """Attach every file that came along; what is refused is told at its field."""
    faults: dict[str, list[str]] = {}
    for item in spec.fields:
        uploads: list[UploadedFile] = request.FILES.getlist(item.name) if item.kind is Kind.FILE else []  # type: ignore[assignment]
        for upload in uploads:
            try:
                actions.attach(found, field=item.name, upload=upload, by=request.member)  # type: ignore[attr-defined]
            except Invalid as fault:
                faults.setdefault(item.name, []).extend(str(text) for _place, text in flatten(fault.errors))
            except (TooLarge, Unavailable) as fault:
                faults.setdefault(item.name, []).append(f"{upload.name}: {fault.detail}")
    return faults


def _draw(
    request: PageRequest,
    spec: Spec,
    data: dict[str, Any],
    found: Submission | None,
    *,
    form: Form | None = None,
    answers: Answers | None = None,
    extra: dict[str, list[str]] | None = None,
) -> HttpResponse:
    """The page with its fields; with faults it is a 422 whose summary names each."""
    faulty = bool(answers and answers.errors) or bool(extra)
    judged = answers or read_answers(spec, data, known(spec, found))
    judged.errors = (judged.errors if answers else {}) | (extra or {})
    kinds = {item.kind for item in spec.fields}
    shown_form = form or (found.form if found else None)
    context = {
        "form": shown_form,
        "submission": found,
        "sections": draw(
            spec,
            data,
            judged,
            files=list(Attachment.objects.filter(submission=found)) if found and Kind.FILE in kinds else [],
            people=list(Member.objects.people().select_related("user").order_by("user__name"))
            if Kind.PERSON in kinds
            else [],
            blank_rows=request.GET.get("rows", ""),
        ),
        "summary": [(field_id(place), text) for place, texts in judged.errors.items() for text in texts],
        "saved": "saved" in request.GET,
    }
    return page(request, "forms/fill.html", context, status=422 if faulty else 200)
