"""Settings → Audit log."""

from __future__ import annotations

from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect

from apps.tenants.context import current_tenant, require
from apps.tenants.pages import PageRequest, page, turl
from apps.tenants.slots import slots
from apps.tenants.windows import window

from .bundle import bundle_of
from .catalogue import listed
from .filters import EntryFilter
from .models import Entry
from .proofs_api import bundle_answer, exported
from .receipts import visible
from .reconcile import last_reconciliation
from .sealer import seal
from .verify import recent_verification, seal_and_verify
from .viewing import viewed

PAGE_SIZE = 50


def log(request: PageRequest, tenant: str) -> HttpResponse:
    """Every act of the tenant, newest first; POST verifies the whole chain now."""
    require("audit.read")
    if request.method == "POST":
        seal_and_verify()
        return redirect(turl(request, "audit:log"))
    seal(current_tenant())
    asked = EntryFilter(request.GET, zone=ZoneInfo(request.tenant.timezone))
    rows = asked.apply(Entry.objects.prefetch_related("seals"))
    shown = window(rows, request.GET, by="time", size=PAGE_SIZE)
    viewed(asked.cleaned_data, door="page")
    return page(
        request,
        "audit/log.html",
        {
            "filter": asked,
            "entries": named(shown.rows),
            "window": shown,
            "verification": recent_verification(),
            "reconciled": last_reconciliation(),
        },
    )


def acts(request: PageRequest, tenant: str) -> HttpResponse:
    """What is recorded: every kind of act, from the code that records it."""
    require("audit.read")
    return page(request, "audit/acts.html", {"acts": listed()})


def export(request: PageRequest, tenant: str) -> HttpResponseBase:
    """The entries that the filters name, as a ZIP that anybody can verify."""
    require("audit.read")
    return bundle_answer(exported(request.GET, ZoneInfo(request.tenant.timezone)))


def proof(request: PageRequest, tenant: str, pk: UUID) -> HttpResponseBase:
    """One entry with its proof, as a ZIP that anybody can verify."""
    require("audit.read")
    entry = get_object_or_404(Entry, pk=pk)
    return bundle_answer(bundle_of(entry))


def receipt(request: PageRequest, tenant: str, pk: UUID) -> HttpResponse:
    """The receipt of an act of mine, as a text file."""
    found = get_object_or_404(visible(), pk=pk)
    answer = HttpResponse(found.note, content_type="text/plain; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="receipt-{found.entry_id}.txt"'
    return answer


def named(entries: list[Entry]) -> list[dict[str, Any]]:
    """Entries with the name of who acted and the place in the chain, ready for a template."""
    names = slots.actor_names({entry.actor_id for entry in entries if entry.actor_id})
    return [
        {
            "entry": entry,
            "who": names.get(entry.actor_id, "") if entry.actor_id else "",
            "seal": next(iter(entry.seals.all()), None),  # type: ignore[attr-defined]
        }
        for entry in entries
    ]
