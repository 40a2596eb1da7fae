"""Settings → Data: what is stored, how long it stays, taking it out, and what may be deleted."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.http import FileResponse, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _

from apps.tenants import catalogue
from apps.tenants.context import require
from apps.tenants.pages import PageRequest, page, turl
from apps.tenants.refusals import Conflict, Refused
from apps.tenants.slots import slots

from ..access import look
from ..actions import exports
from ..actions.deleting import delete_form, discard_draft
from ..models import Export, ExportState, Form, Submission
from .reviewing import as_download

SHOWN = 10


@dataclass(frozen=True)
class Kept:
    """One kind of thing that is stored: how many, how many bytes where that is known, and how long it stays."""

    title: str
    count: int
    stays: str
    size: int | None = None


def data(request: PageRequest, tenant: str) -> HttpResponse:
    """What is stored of this tenant; POST asks for an export."""
    require("data.export")
    refused = None
    if request.method == "POST":
        try:
            exports.ask_for_export(by=request.member)
            return redirect(turl(request, "forms:data") + "#exports")
        except Conflict as conflict:
            refused = conflict
    listed = list(Export.objects.select_related("requested_by__user").order_by("-created_at")[:SHOWN])
    context = {
        "kept": stored(),
        "exports": listed,
        "is_making": any(one.state in {ExportState.QUEUED, ExportState.RUNNING} for one in listed),
        "unpublished": Form.objects.filter(live_version=None).order_by("title"),
        "refused": refused,
        "days": exports.KEPT.days,
    }
    return page(request, "settings/data.html", context, status=409 if refused else 200)


def download(request: PageRequest, tenant: str, pk: UUID) -> FileResponse:
    """The ZIP of one export."""
    require("data.export")
    found = get_object_or_404(Export, pk=pk)
    place = exports.download_export(found, by=request.member)
    return as_download(place, f"{request.tenant.slug}-{found.created_at:%Y-%m-%d}.zip")


def delete(request: PageRequest, tenant: str, slug: str) -> HttpResponse:
    """Delete a form that was never published, once its address is typed."""
    found = look(request.member, Form.objects.all(), slug=slug).form
    fault = ""
    if request.method == "POST":
        try:
            if request.POST.get("typed", "").strip() != found.slug:
                raise Refused(_("Type the address of the form exactly, to delete it."))
            delete_form(found, by=request.member)
            return redirect(turl(request, "forms:list"))
        except Refused as refused:
            fault = str(refused.detail)
    return page(request, "forms/delete.html", {"form": found, "fault": fault}, status=422 if fault else 200)


def discard(request: PageRequest, tenant: str, pk: UUID) -> HttpResponse:
    """POST deletes one's own draft."""
    found = get_object_or_404(Submission.objects.filter(submitter=request.member), pk=pk)
    if request.method == "POST":
        discard_draft(found, by=request.member)
    return redirect(turl(request, "forms:submissions"))


def stored() -> list[Kept]:
    """Every kind of thing that this tenant has, by name, counted now."""
    tables = catalogue.tenant_tables()
    found = [
        Kept(
            title=str(kind.title),
            count=kind.count() if kind.count else tables[kind.tables[0]]._default_manager.count(),
            stays=str(kind.stays() if callable(kind.stays) else kind.stays),
            size=kind.size() if kind.size else None,
        )
        for kind in slots.stored
    ]
    return sorted(found, key=lambda one: one.title)
