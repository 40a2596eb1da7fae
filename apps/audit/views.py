"""Settings → Audit log."""

from __future__ import annotations

from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib import messages
from django.http import FileResponse, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _

from apps.tenants.context import current_tenant, require
from apps.tenants.pages import PageRequest, page, turl

from .asked import verify_now
from .bundle import bundle_of
from .catalogue import listed
from .filters import EntryFilter
from .heads import head
from .models import Entry
from .proofs_api import bundle_answer, exported
from .receipts import visible
from .reconcile import last_found, last_reconciliation
from .rows import rows_of
from .saved import mine
from .sealer import seal
from .verify import Verification
from .viewing import viewed, viewed_receipts

PAGE_SIZE = 50
VERIFIER = settings.BASE_DIR / "scripts" / "orkestra_verify.py"


def log(request: PageRequest, tenant: str) -> HttpResponse:
    """Every act of the tenant, newest first; POST verifies the whole chain, now or, where it is long, by a job."""
    require("audit.read")
    if request.method == "POST":
        _say(request, verify_now())
        return redirect(turl(request, "audit:log"))
    seal(current_tenant())
    compared = last_reconciliation()
    asked = EntryFilter(request.GET, zone=ZoneInfo(request.tenant.timezone))
    shown = asked.page(request.GET.dict(), PAGE_SIZE)
    viewed(asked.asked, door="page")
    context = {
        "filter": asked,
        "rows": rows_of(shown.rows),
        "window": shown,
        "head": head(),
        "reconciled": compared,
        "unlogged": last_found() if compared and not compared.whole else [],
        "views": mine(request.member.pk),
    }
    return page(request, "audit/log.html", context, status=200 if asked.is_valid() else 422)


def _say(request: PageRequest, found: Verification | None) -> None:
    """What a verification that was asked for has found, above the page; None: a job is at it."""
    if found is None:
        messages.info(request, _("The log is long, so a job walks it. This page says here what it finds."))
        return
    compared = last_reconciliation()
    if not found.whole:
        told = _("The log is broken at entry #%(n)s: %(reason)s") % {"n": found.first_bad, "reason": found.reason}
        messages.error(request, told)
    else:
        numbers = {"n": found.sealed, "signed": found.signed}
        told = _("All %(n)s sealed entries are whole, and continue the %(signed)s that were signed.") % numbers
        messages.success(request, told)
    if compared is not None and not compared.whole:
        messages.error(
            request,
            _("%(n)s stored rows do not agree with the entries; they are named below.") % {"n": compared.missing},
        )


def acts(request: PageRequest, tenant: str) -> HttpResponse:
    """What is recorded: every kind of act, from the code that records it."""
    require("audit.read")
    return page(request, "audit/acts.html", {"acts": listed()})


def export(request: PageRequest, tenant: str) -> HttpResponseBase:
    """The entries that the filters name, as a ZIP that anybody can verify."""
    require("audit.read")
    return bundle_answer(exported(request.GET, ZoneInfo(request.tenant.timezone)))


def verifier(request: PageRequest, tenant: str) -> FileResponse:
    """The script that verifies a bundle anywhere, without us: the very file of this release."""
    require("audit.read")
    return FileResponse(VERIFIER.open("rb"), as_attachment=True, filename=VERIFIER.name, content_type="text/x-python")


def proof(request: PageRequest, tenant: str, pk: UUID) -> HttpResponseBase:
    """One entry with its proof, as a ZIP that anybody can verify."""
    require("audit.read")
    bundle = bundle_of(get_object_or_404(Entry.objects.kept(), pk=pk))
    viewed({"entry": pk}, door="proof")
    return bundle_answer(bundle)


def receipt(request: PageRequest, tenant: str, pk: UUID) -> HttpResponse:
    """The receipt of an act of mine, as a text file; whoever reads the log gets those of others, which is a look."""
    found = get_object_or_404(visible(), pk=pk)
    viewed_receipts([found.pk], {"entry": found.entry_id})
    answer = HttpResponse(found.note, content_type="text/plain; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="receipt-{found.entry_id}.txt"'
    return answer
