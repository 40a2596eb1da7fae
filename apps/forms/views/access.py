"""Who may do what on one form: grants, given and taken back, and why a person sees it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect

from apps.accounts.models import Member, Team
from apps.tenants.pages import PageRequest, page, refusal_on, turl
from apps.tenants.refusals import Refused

from .. import actions
from ..access import Explained, explained, look
from ..inputs import FillingInput, GrantInput
from ..models import Form, Grant
from ..public import address_of
from ..rules.filling import Filling

MOST_EXPLAINED = 100


def access(request: PageRequest, tenant: str, slug: str) -> HttpResponse:
    """Grants of a form, and to whom it is open; POST changes the one whose button was pressed."""
    found = _managed(request, slug)
    opened = FillingInput(request.POST if "filling" in request.POST else None, initial={"filling": found.filling})
    if opened.is_bound and opened.is_valid():
        with refusal_on(opened):
            actions.set_filling(found, by=request.member, **opened.cleaned_data)
            return redirect(turl(request, "forms:access", slug=slug))
    people = Member.objects.active().select_related("user").order_by("user__name")
    asked = GrantInput(
        request.POST if "role" in request.POST else None, people=people, teams=Team.objects.order_by("name")
    )
    if asked.is_bound and asked.is_valid():
        with refusal_on(asked):
            actions.grant_access(found, by=request.member, **asked.principal_parts, role=asked.cleaned_data["role"])
            return redirect(turl(request, "forms:access", slug=slug))
    grants = found.grants.select_related("principal_member__user", "principal_team").order_by("created_at")
    context = {
        "form": found,
        "input": asked,
        "opened": opened,
        "public_url": public_url(found),
        "grants": grants,
        "people": [(one.member, one.may, one.grants) for one in _each(found, people)],
        "most": MOST_EXPLAINED,
    }
    return page(request, "forms/access.html", context, status=422 if asked.errors or opened.errors else 200)


def revoke(request: PageRequest, tenant: str, slug: str, pk: UUID) -> HttpResponse:
    """POST takes a grant back."""
    found = _managed(request, slug)
    try:
        actions.revoke_access(get_object_or_404(Grant, form=found, pk=pk), by=request.member)
    except Refused as refused:
        messages.error(request, str(refused.detail))
    return redirect(turl(request, "forms:access", slug=slug))


def public_url(form: Form) -> str:
    """Where anyone fills the form; empty while nobody outside can."""
    if form.filling != Filling.PUBLIC or form.live_version_id is None:
        return ""
    return f"{settings.PUBLIC_URL}{address_of(form.tenant.slug, form.slug)}"


def _managed(request: PageRequest, slug: str) -> Form:
    seen = look(request.member, Form.objects.all(), slug=slug)
    seen.demand("manage")
    return seen.form


def _each(form: Form, people: Any) -> list[Explained]:
    return [explained(form, one) for one in people[:MOST_EXPLAINED]]
