"""Settings → Feature flags."""

from __future__ import annotations

from django.http import HttpResponse

from apps.tenants.context import require
from apps.tenants.pages import PageRequest, page

from .evaluation import evaluate_all
from .models import Flag


def flags(request: PageRequest, tenant: str) -> HttpResponse:
    """Which features are on for this tenant, and why."""
    require("settings.read")
    found = {one.key: one for one in evaluate_all()}
    rows = [(flag, found[flag.key]) for flag in Flag.objects.all() if flag.key in found]
    return page(request, "flags/flags.html", {"rows": rows})
