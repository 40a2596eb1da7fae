"""Every claim with its probe's result, for Super Admins."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from apps.tenants import clock
from apps.tenants.context import NOBODY, tenant_context

from . import claims
from .probes import check


def claims_page(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """Both lists of the Security page, each probe run now, as a visitor would see it."""
    with tenant_context(NOBODY):
        checked = [check(claim) for claim in claims.live()]
    shown = {**context, "checked": checked, "missing": claims.missing(), "at": clock.now()}
    return TemplateResponse(request, "admin/trust/claims.html", shown)
