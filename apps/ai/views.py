"""Settings → AI, and the summary on a task's page."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, HttpResponseNotAllowed
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _

from apps.approvals.models import Assignment
from apps.forms.inputs import DecisionInput
from apps.forms.views.reviewing import task_page
from apps.tenants import clock
from apps.tenants.context import require
from apps.tenants.ids import id_in
from apps.tenants.pages import PageRequest, page, refusal_on, turl
from apps.tenants.refusals import Conflict, Forbidden, PaymentRequired
from apps.tenants.windows import window

from . import actions
from .actions.allowance import allowance
from .actions.ledger import budget_now
from .inputs import AnswerInput, CapInput, SwitchInput
from .models import Summary, UsageEvent
from .rules import MICRO, next_month
from .switches import state, switches
from .usage import dollars, micro, with_reactions

PAGE_SIZE = 20


def settings_page(request: PageRequest, tenant: str) -> HttpResponse:
    """Where AI stands: switches, the model, the budget, and the last calls with what became of them."""
    require("settings.read")
    return _settings(request, CapInput(initial=_initial()))


def switch(request: PageRequest, tenant: str) -> HttpResponse:
    """POST lets answers go to the model, or stops it."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    require("settings.write")
    asked = SwitchInput(request.POST)
    if asked.is_valid():
        with refusal_on(asked):
            actions.switch(is_on=asked.cleaned_data["is_on"], by=request.member)
            messages.success(request, _("Saved."))
            return redirect(turl(request, "ai:settings"))
    return _settings(request, CapInput(initial=_initial()), switched=asked, status=422)


def cap(request: PageRequest, tenant: str) -> HttpResponse:
    """POST sets the owner's own limit, or takes it back."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    require("settings.write")
    asked = CapInput(request.POST)
    if asked.is_valid():
        most = asked.cleaned_data["cap"]
        actions.cap(None if most is None else micro(most), by=request.member)
        messages.success(request, _("Saved."))
        return redirect(turl(request, "ai:settings"))
    return _settings(request, asked, status=422)


def _initial() -> dict[str, Any]:
    found = allowance().cap
    return {"cap": None if found is None else f"{found / MICRO:.2f}"}


def _settings(
    request: PageRequest, asked: CapInput, *, switched: SwitchInput | None = None, status: int = 200
) -> HttpResponse:
    shown = window(UsageEvent.objects.with_people(), request.GET, by="at", size=PAGE_SIZE)
    budget, found = budget_now(), state()
    context = {
        "state": found,
        "switches": switches(),
        "allowance": allowance(),
        "budget": budget,
        "spent": dollars(budget.spent),
        "held": dollars(budget.held),
        "limit": dollars(budget.limit),
        "ceiling": dollars(allowance().ceiling),
        "resets_at": next_month(clock.now()),
        "window": shown,
        "calls": with_reactions(shown.rows),
        "input": asked,
        "switched": switched,
        "may_write": request.context.allows("settings.write"),
    }
    return page(request, "ai/settings.html", context, status=status)


def summary(request: PageRequest, tenant: str, pk: UUID) -> HttpResponse:
    """POST has a summary written, looks again, or says what became of it; what was typed into the decision stays."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    require("tasks.decide")
    assignment = get_object_or_404(Assignment.objects.seen_by(request.member).with_case(), pk=pk)
    typed = DecisionInput(initial={name: request.POST.get(name, "") for name in ("verdict", "reason")})
    try:
        _act(request, assignment)
    except (PaymentRequired, Forbidden, Conflict) as problem:
        return task_page(request, assignment, typed, stale=str(problem.detail), status=problem.status)
    return task_page(request, assignment, typed)


def _act(request: PageRequest, assignment: Assignment) -> None:
    answered = AnswerInput({"said": request.POST.get("ai")})
    if request.POST.get("ai") == "ask":
        actions.ask_summary(assignment, by=request.member)
    elif answered.is_valid():
        rows = Summary.objects.filter(submission=assignment.step.case.subject_id)
        found = get_object_or_404(rows, pk=id_in(request.POST.get("summary")))
        actions.answer(found, by=request.member, said=answered.cleaned_data["said"])
