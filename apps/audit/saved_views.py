"""The pages of saved views and of exports of the log."""

from __future__ import annotations

from urllib.parse import parse_qsl
from uuid import UUID
from zoneinfo import ZoneInfo

from django.http import FileResponse, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _

from apps.tenants.context import require
from apps.tenants.pages import PageRequest, page, turl
from apps.tenants.refusals import Conflict, Refused

from . import log_exports, saved
from .filters import EntryFilter
from .models import LogExport

SHOWN = 20


def views(request: PageRequest, tenant: str) -> HttpResponse:
    """My saved views; POST keeps the filters that stand in the address under a name."""
    require("audit.read")
    asked = EntryFilter(request.GET, zone=ZoneInfo(request.tenant.timezone))
    name = saved.NameInput(request.POST or None)
    fault = ""
    if request.method == "POST":
        try:
            if name.is_valid():
                made = saved.save_view(name.cleaned_data["name"], asked, by=request.member.pk)
                return redirect(f"{turl(request, 'audit:log')}?{made.query}")
            fault = _("Give the view a name of up to 80 signs.")
        except Refused as refused:
            fault = str(refused.detail)
    context = {
        "views": [(one, saved.worded(dict(parse_qsl(one.query)))) for one in saved.mine(request.member.pk)],
        "asked": saved.worded(asked.asked),
        "filter": asked,
        "fault": fault,
        "typed": request.POST.get("name", ""),
    }
    return page(request, "audit/views.html", context, status=422 if fault else 200)


def view(request: PageRequest, tenant: str, pk: UUID) -> HttpResponse:
    """One of my views: rename it, or delete it."""
    require("audit.read")
    found = saved.one_of_mine(request.member.pk, pk)
    name = saved.NameInput(request.POST or None, initial={"name": found.name})
    fault = ""
    if request.method == "POST":
        try:
            if "delete" in request.POST:
                saved.delete_view(found)
                return redirect(turl(request, "audit:views"))
            if name.is_valid():
                saved.rename_view(found, name.cleaned_data["name"])
                return redirect(turl(request, "audit:views"))
            fault = _("Give the view a name of up to 80 signs.")
        except Refused as refused:
            fault = str(refused.detail)
    context = {
        "asked": saved.worded(dict(parse_qsl(found.query))),
        "view": found,
        "fault": fault,
        "typed": request.POST.get("name", found.name),
    }
    return page(request, "audit/view.html", context, status=422 if fault else 200)


def exports(request: PageRequest, tenant: str) -> HttpResponse:
    """Exports of the log and how far each is; POST asks for one of what the filters in the address name."""
    require("audit.read")
    asked = EntryFilter(request.GET, zone=ZoneInfo(request.tenant.timezone))
    fault = ""
    if request.method == "POST":
        try:
            log_exports.ask(asked, request.POST.get("format", ""), by=request.member.pk)
            return redirect(turl(request, "audit:exports"))
        except (Refused, Conflict) as refused:
            fault = str(refused.detail)
    listed = list(LogExport.objects.order_by("-created_at")[:SHOWN])
    context = {"exports": log_exports.described(listed), "filter": asked, "fault": fault, "days": log_exports.KEPT.days}
    context["asked"] = saved.worded(asked.asked)
    context["is_making"] = any(one.is_waiting for one in listed)
    return page(request, "audit/exports.html", context, status=409 if fault else 200)


def download(request: PageRequest, tenant: str, pk: UUID) -> FileResponse:
    """The file of one export, after its bytes were compared and the download was recorded."""
    require("audit.read")
    found = get_object_or_404(LogExport, pk=pk)
    place = log_exports.download(found)
    answer = FileResponse(
        place.open("rb"),
        as_attachment=True,
        filename=f"{request.tenant.slug}-audit-{found.created_at:%Y-%m-%d}.{found.format}",
        content_type="application/octet-stream",
    )
    answer["Content-Security-Policy"] = "default-src 'none'; sandbox"
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Cache-Control"] = "no-store"
    return answer
