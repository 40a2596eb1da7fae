"""Every claim with its probe's result, for Super Admins."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from apps.tenants import clock, probing

from . import claims
from .probes import check


def claims_page(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """Both lists of the Security page, each probe run now: over all tenants where it looks at rows of theirs."""
    checked = [check(claim, run=probing.look_across) for claim in claims.live()]
    shown = {**context, "checked": checked, "missing": claims.missing(), "at": clock.now()}
    return TemplateResponse(request, "admin/trust/claims.html", shown)
