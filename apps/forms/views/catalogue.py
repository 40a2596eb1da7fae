"""Forms: the list, one form, and its draft as JSON."""

from __future__ import annotations

from typing import Any

from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from apps.accounts.models import Member, Team
from apps.accounts.rules import Role
from apps.approvals.models import PathVersion
from apps.approvals.rules.definition import Step
from apps.approvals.timeline import quorum_words
from apps.tenants.context import require
from apps.tenants.pages import PageRequest, page, refusal_on, turl
from apps.tenants.refusals import Invalid, Refused, flatten
from apps.tenants.windows import window

from .. import actions
from ..access import Look, look
from ..inputs import FormInput
from ..models import Form, Submission
from .access import public_url

PAGE_SIZE = 50
EXAMPLE_SCHEMA = {
    "type": "object",
    "properties": {"question": {"type": "string", "title": "A question", "maxLength": 200}},
    "required": ["question"],
}
EXAMPLE_PATH = {
    "steps": [
        {"key": "owner", "name": "Owner", "approvers": [{"type": "role", "id": "owner"}], "quorum": {"kind": "any"}}
    ]
}


def forms(request: PageRequest, tenant: str) -> HttpResponse:
    """Forms that I may fill or work on, newest first, a page at a time; `?q=` seeks in titles and addresses."""
    require("forms.read")
    sought = request.GET.get("q", "").strip()
    rows = Form.objects.visible_to(request.member).listed()
    if sought:
        rows = rows.filter(Q(title__icontains=sought) | Q(slug__icontains=sought))
    may = request.context.allows
    context = {
        "window": window(rows, request.GET, by="created_at", size=PAGE_SIZE),
        "sought": sought,
        "may_create": may("forms.create"),
        "unowned": actions.unowned().count() if may("settings.write") else 0,
    }
    return page(request, "forms/list.html", context)


def form(request: PageRequest, tenant: str, slug: str) -> HttpResponse:
    """What a form is for, its path and its versions; POST publishes its draft."""
    seen = _look(request, slug)
    found = seen.form
    fault: Any = None
    if request.method == "POST":
        try:
            actions.publish(found, by=request.member)
            return redirect(turl(request, "forms:form", slug=slug))
        except (Refused, Invalid) as refused:
            fault = refused
    context = {
        "form": found,
        "may": seen.may,
        "has_trail": seen.has_trail,
        "public_url": public_url(found),
        "fault": fault,
        "faults": list(flatten(fault.errors)) if isinstance(fault, Invalid) else [],
        "steps": steps_of(found.live_version.path_version) if found.live_version else [],
        "versions": found.versions.select_related("published_by__user").order_by("-number")[:20],
        "grants": found.grants.select_related("principal_member__user", "principal_team").order_by("created_at"),
        "drafts": Submission.objects.filter(form=found, submitter=request.member).in_state(Submission.DRAFT),
    }
    return page(request, "forms/form.html", context, status=422 if fault else 200)


def steps_of(version: PathVersion | None) -> list[tuple[Step, list[str], str, list[str]]]:
    """Each step with who is asked, how many must approve, and from whose steps its person must differ, in words."""
    steps = version.steps if version else ()
    asked = {approver.id for step in steps for approver in step.approvers if approver.type != "role"}
    names = {str(team.pk): team.name for team in Team.objects.filter(pk__in=asked)}
    names |= {str(one.pk): one.name for one in Member.objects.filter(pk__in=asked).select_related("user")}
    names |= {role: _("everybody who is %(role)s") % {"role": label} for role, label in Role.choices}
    titles = {step.key: step.name for step in steps}
    return [
        (
            step,
            [str(names.get(approver.id, _("somebody who left"))) for approver in step.approvers],
            quorum_words(step.quorum.kind.value, step.quorum.n, 0),
            [titles[key] for key in step.not_same_as],
        )
        for step in steps
    ]


def new(request: PageRequest, tenant: str) -> HttpResponse:
    """A new form, from JSON."""
    require("forms.create")
    start = {"schema": EXAMPLE_SCHEMA, "ui": {}, "path": EXAMPLE_PATH}
    asked = FormInput(request.POST or None, initial=start)
    if request.method == "POST" and asked.is_valid():
        with refusal_on(asked):
            made = actions.create_form(by=request.member, **_cleaned(asked))
            return redirect(turl(request, "forms:form", slug=made.slug))
    return page(request, "forms/edit.html", {"input": asked}, status=422 if asked.errors else 200)


def edit(request: PageRequest, tenant: str, slug: str) -> HttpResponse:
    """The draft of a form; published versions stay as they are."""
    seen = _look(request, slug)
    seen.demand("edit")
    found = seen.form
    start = {
        "title": found.title,
        "slug": found.slug,
        "description": found.description,
        "schema": found.schema,
        "ui": found.ui,
        "path": found.path,
    }
    asked = FormInput(request.POST or None, initial=start)
    asked.fields["slug"].disabled = True
    if request.method == "POST" and asked.is_valid():
        changes = _cleaned(asked)
        changes.pop("slug")
        with refusal_on(asked):
            actions.update_form(found, by=request.member, **changes)
            return redirect(turl(request, "forms:form", slug=slug))
    return page(request, "forms/edit.html", {"input": asked, "form": found}, status=422 if asked.errors else 200)


def _look(request: PageRequest, slug: str) -> Look:
    rows = Form.objects.select_related("live_version__path_version", "created_by__user")
    return look(request.member, rows, slug=slug)


def _cleaned(asked: FormInput) -> dict[str, Any]:
    found = dict(asked.cleaned_data)
    return found | {"ui": found["ui"] or {}, "path": found["path"] or None}
