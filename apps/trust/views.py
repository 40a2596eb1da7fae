"""The public pages, and a tenant's home."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string

from apps.accounts.signing_keys import CACHED, key_set
from apps.tenants import catalogue, clock
from apps.tenants.context import require
from apps.tenants.pages import PageRequest, page
from apps.tenants.slots import slots

from . import claims
from .probes import Checked, check

CONTROLS = ("tenant_isolation", "audit_chain", "append_only", "four_eyes", "role_separation")
CONTACT_LIFETIME = timedelta(days=180)


def landing(request: HttpRequest) -> HttpResponse:
    """What Orkestra is, in a few honest lines."""
    return render(request, "trust/landing.html", {"live": len(claims.live()), "missing": len(claims.missing())})


def security(request: HttpRequest) -> HttpResponse:
    """Both lists: what holds, with the result of each probe run now, and what is not built yet."""
    checked = [check(claim) for claim in claims.live()]
    return render(request, "trust/security.html", {"checked": checked, "missing": claims.missing(), "at": clock.now()})


def security_txt(request: HttpRequest) -> HttpResponse:
    """RFC 9116."""
    expires = (clock.now() + CONTACT_LIFETIME).strftime("%Y-%m-%dT00:00:00Z")
    lines = [
        f"Contact: mailto:{settings.SECURITY_CONTACT}",
        f"Expires: {expires}",
        "Preferred-Languages: en",
        f"Canonical: {settings.PUBLIC_URL}/.well-known/security.txt",
        f"Policy: {settings.PUBLIC_URL}/security",
    ]
    return HttpResponse("\n".join(lines) + "\n", content_type="text/plain; charset=utf-8")


def jwks(request: HttpRequest) -> JsonResponse:
    """The public keys that verify our access tokens (RFC 7517)."""
    headers = {"Cache-Control": f"public, max-age={int(CACHED.total_seconds())}"}
    return JsonResponse(key_set(), headers=headers)


def controls() -> list[Checked]:
    """The five controls of the home page, each checked now."""
    by_key = {claim.key: claim for claim in claims.CLAIMS}
    return [check(by_key[key]) for key in CONTROLS]


def security_settings(request: PageRequest, tenant: str) -> HttpResponse:
    """The wall as the database's own catalogue has it now, and every claim checked for this tenant."""
    require("settings.read")
    context = {
        "tables": catalogue.covered(),
        "faults": catalogue.faults(),
        "checked": [check(claim) for claim in claims.live()],
        "at": clock.now(),
    }
    return page(request, "trust/settings.html", context)


def home(request: PageRequest, tenant: str) -> HttpResponse:
    """What waits for me, what I have sent, and whether the controls hold."""
    panels = [
        render_to_string(panel.template, {**panel.context(request), "tenant": request.tenant}, request=request)
        for panel in slots.home_panels
    ]
    return page(request, "trust/home.html", {"panels": panels, "controls": controls()})
