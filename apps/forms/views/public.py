"""Forms that anyone may fill, and the private page on which a stranger sees where it stands."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from apps.accounts.limits import Limit, TooMany, address_of, spend
from apps.approvals.mails import OUTSIDE
from apps.approvals.timeline import route_of
from apps.audit.receipts import of_act
from apps.tenants.context import as_visitor, current_tenant
from apps.tenants.limits import OverLimit
from apps.tenants.models import Tenant
from apps.tenants.refusals import Invalid, NotFound, PaymentRequired, Problem

from ..actions.public import check_room, submit_public, uploads_of
from ..inputs import draw, field_id, read_post
from ..models import Form, Submission
from ..public import find_form, find_receipt
from ..rules.answers import Answers, read_answers
from .filling import preview_of, without_row

SENDS = Limit("public.send", 30, 600)
SENDS_TO_TENANT = Limit("public.send.tenant", 600, 3600)
PREVIEWS = Limit("public.preview", 600, 300)


def fill(request: HttpRequest, tenant: str, form: str) -> HttpResponse:
    """A public form; POST sends it, or draws it again with one row more or less. No script and no sign-in needed."""
    found = find_form(tenant, form)
    if found is None:
        raise NotFound()
    with as_visitor(found[0]):
        return _fill(request, _form(found[1]))


def preview(request: HttpRequest, tenant: str, form: str) -> HttpResponse:
    """What shows and what is computed for the answers so far; nothing is kept."""
    found = find_form(tenant, form)
    if found is None:
        raise NotFound()
    with as_visitor(found[0]):
        spend(PREVIEWS, _from(request))
        version = _form(found[1]).live_version
        assert version is not None
        return JsonResponse(preview_of(version.spec, request.POST))


def receipt(request: HttpRequest, word: str) -> HttpResponse:
    """Where it stands, for whoever holds the private link: state and steps, no names and no answers."""
    found = find_receipt(word)
    if found is None:
        raise NotFound()
    with as_visitor(found[0]):
        sent = Submission.objects.select_related("form", "case__path_version").get(pk=found[1])
        assert sent.case is not None
        context = {
            "submission": sent,
            "tenant": Tenant.objects.get(pk=current_tenant()),
            "state": OUTSIDE.get(sent.case.state, sent.case.state),
            "route": route_of(sent.case),
            "contact": sent.case.contact,
            "is_new": "sent" in request.GET,
            "link": request.build_absolute_uri(request.path),
            "word": word,
        }
        return _private(render(request, "forms/receipt.html", context))


def signed(request: HttpRequest, word: str) -> HttpResponse:
    """The signed receipt of what was sent, for whoever holds the private link, as a text file."""
    found = find_receipt(word)
    if found is None:
        raise NotFound()
    with as_visitor(found[0]):
        kept = of_act(found[1], "submission.sent")
        if kept is None:
            raise NotFound()
    answer = HttpResponse(kept.note, content_type="text/plain; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="receipt-{kept.entry_id}.txt"'
    return _private(answer)


def _fill(request: HttpRequest, form: Form) -> HttpResponse:
    assert form.live_version is not None
    spec = form.live_version.spec
    if request.method != "POST":
        try:
            check_room()
        except PaymentRequired as closed:
            return _draw(request, form, {}, closed=closed)
        return _draw(request, form, {})
    data, asked = read_post(spec, request.POST), request.POST.get("do", "send")
    if asked != "send":
        name = asked.partition(":")[2]
        data = without_row(data, asked) if asked.startswith("remove-row:") else data
        return _draw(request, form, data, blank_rows=name if asked.startswith("add-row:") else "")
    try:
        check_room()  # before the count, or a rate limit could hide what the plan says
        spend(SENDS, _from(request))
        spend(SENDS_TO_TENANT, str(current_tenant()))
        sent = submit_public(form, data=data, files=uploads_of(spec, request.FILES))
    except Invalid as fault:
        answers = read_answers(spec, data)
        answers.errors = {place: [str(text) for text in texts] for place, texts in fault.errors.items()}
        return _draw(request, form, data, answers=answers)
    except (PaymentRequired, OverLimit, TooMany) as closed:
        return _draw(request, form, data, closed=closed)
    return redirect(reverse("receipt", kwargs={"word": sent.word}) + "?sent=1")


def _draw(
    request: HttpRequest,
    form: Form,
    data: dict[str, Any],
    *,
    answers: Answers | None = None,
    closed: Problem | None = None,
    blank_rows: str = "",
) -> HttpResponse:
    """The page with what was typed; 422 with faults, 402 or 429 where nothing is taken now."""
    assert form.live_version is not None
    spec = form.live_version.spec
    judged = answers or read_answers(spec, data)
    judged.errors = judged.errors if answers else {}
    context = {
        "form": form,
        "tenant": Tenant.objects.get(pk=current_tenant()),
        "sections": draw(spec, data, judged, blank_rows=blank_rows),
        "summary": [(field_id(place), text) for place, texts in judged.errors.items() for text in texts],
        "closed": closed,
        "files_lost": bool(request.FILES),
        "may_send": not (closed and request.method != "POST"),
        "mails": bool(spec.contact),
    }
    status = closed.status if closed else 422 if judged.errors else 200
    answer = render(request, "forms/public.html", context, status=status)
    if closed and closed.retry_after_seconds:
        answer["Retry-After"] = str(closed.retry_after_seconds)
    return answer


def _form(pk: UUID) -> Form:
    return Form.objects.select_related("live_version__path_version").get(pk=pk)


def _from(request: HttpRequest) -> str:
    """Who is counted: one address at one tenant, so that no tenant's crowd closes the form of another."""
    return f"{current_tenant()}:{address_of(request)}"


def _private(answer: HttpResponse) -> HttpResponse:
    """A page behind a secret address: no search engine keeps it, and no other page learns of it."""
    answer["X-Robots-Tag"] = "noindex, nofollow"
    answer["Referrer-Policy"] = "no-referrer"
    return answer
