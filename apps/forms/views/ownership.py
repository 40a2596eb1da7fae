"""Forms that nobody owns any more, for the owners of the tenant."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect

from apps.tenants.context import require
from apps.tenants.pages import PageRequest, page, turl

from .. import actions
from ..models import Form


def unowned(request: PageRequest, tenant: str) -> HttpResponse:
    """The list; nobody sees their content here, only that they exist."""
    require("settings.write")
    return page(request, "forms/unowned.html", {"forms": actions.unowned().order_by("title")})


def take(request: PageRequest, tenant: str, pk: UUID) -> HttpResponse:
    """POST makes me the owner of one."""
    require("settings.write")
    found = get_object_or_404(Form, pk=pk)
    actions.take_ownership(found, by=request.member)
    return redirect(turl(request, "forms:access", slug=found.slug))
