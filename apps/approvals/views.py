"""Stand-ins, on one's own page and on an owner's for everybody; and what stands still because nobody may decide it."""

from __future__ import annotations

from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _

from apps.tenants import clock
from apps.tenants.context import require
from apps.tenants.ids import id_in
from apps.tenants.pages import PageRequest, done, page, refusal_on, turl
from apps.tenants.refusals import Conflict

from .actions import end_stand_in, set_stand_in, staff_step
from .actions.cases import shut_out
from .inputs import StaffInput, StandInForInput, StandInInput
from .models import CaseStep, Delegation, who_decide

SHOWN_OVER = 10


def mine(request: PageRequest, tenant: str) -> HttpResponse:
    """Who decides for me and when, and for whom I do; POST names somebody."""
    require("tasks.decide")
    zone = ZoneInfo(request.tenant.timezone)
    asked = StandInInput(request.POST or None, but=request.member, initial=StandInInput.start(clock.now(), zone))
    if request.method == "POST" and asked.is_valid():
        with refusal_on(asked):
            set_stand_in(request.member, by=request.member, **asked.values(zone))
            return done(request, _("It is set, and they are told by mail."), "approvals:mine")
    rows = Delegation.objects.concerning(request.member).with_people()
    context = {
        "input": asked,
        "for_me": rows.alive().filter(person=request.member).order_by("starts_at"),
        "by_me": rows.alive().filter(stand_in=request.member).order_by("starts_at"),
        "over": rows.over()[:SHOWN_OVER],
    }
    return page(request, "approvals/stand_in.html", context, status=422 if asked.errors else 200)


def everybody(request: PageRequest, tenant: str) -> HttpResponse:
    """All stand-ins of the tenant; POST names one for a member who cannot."""
    require("members.write")
    zone = ZoneInfo(request.tenant.timezone)
    asked = StandInForInput(request.POST or None, initial=StandInForInput.start(clock.now(), zone))
    if request.method == "POST" and asked.is_valid():
        with refusal_on(asked):
            set_stand_in(by=request.member, **asked.values(zone))
            return done(request, _("It is set, and both are told by mail."), "approvals:stand-ins")
    rows = Delegation.objects.with_people()
    context: dict[str, Any] = {
        "input": asked,
        "alive": rows.alive().order_by("starts_at"),
        "over": rows.over()[:SHOWN_OVER],
    }
    return page(request, "approvals/stand_ins.html", context, status=422 if asked.errors else 200)


def end(request: PageRequest, tenant: str, pk: UUID) -> HttpResponse:
    """POST ends one at once."""
    everything = request.context.allows("members.write")
    found = get_object_or_404(Delegation.objects.visible_to(request.member, everything=everything), pk=pk)
    back = "approvals:mine" if found.person_id == request.member.pk else "approvals:stand-ins"
    try:
        end_stand_in(found, by=request.member)
    except Conflict as conflict:
        messages.error(request, str(conflict.detail))
        return redirect(turl(request, back))
    return done(request, _("It has ended, and they are told by mail."), back)


def stuck(request: PageRequest, tenant: str) -> HttpResponse:
    """Steps that nobody may decide; POST names people for one."""
    require("settings.write")
    people = who_decide().select_related("user", "tenant").exclude(pk=request.member.pk).order_by("user__name", "pk")
    asked = StaffInput(request.POST or None, people=people)
    step = id_in(request.POST.get("step", ""))
    if request.method == "POST" and asked.is_valid():
        found = get_object_or_404(CaseStep, pk=step)
        with refusal_on(asked):
            staff_step(found, asked.cleaned_data["people"], by=request.member)
            return done(request, _("They are asked, and told by mail."), "approvals:stuck")
    steps = [(one, shut_out(one.case, one.definition)) for one in CaseStep.objects.stuck().order_by("opened_at")]
    context = {
        "input": asked,
        "steps": [(one, [person for person in people if person.pk not in barred]) for one, barred in steps],
        "asked_step": step,
        "chosen": {id_in(one) for one in request.POST.getlist("people")},
    }
    return page(request, "approvals/stuck.html", context, status=422 if asked.errors else 200)
