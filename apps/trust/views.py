"""The public pages, and a tenant's home."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string

from apps.accounts.people import memberships_of
from apps.accounts.signing_keys import CACHED, key_set
from apps.tenants import catalogue, clock
from apps.tenants.context import NOBODY, current, require, tenant_context
from apps.tenants.pages import PageRequest, page
from apps.tenants.slots import slots

from . import claims, disclosure, proofs
from .controls import controls, of_visitor
from .not_claimed import NOT_CLAIMED
from .probes import Checked, check
from .recent import Recent

CONTACT_LIFETIME = timedelta(days=180)


def landing(request: HttpRequest) -> HttpResponse:
    """What Orkestra is, in a few honest lines."""
    context = {"found": public_state(), "missing": len(claims.missing()), "sign_up_is_open": settings.SIGN_UP_IS_OPEN}
    return render(request, "trust/landing.html", context)


def security(request: HttpRequest) -> HttpResponse:
    """The five controls, both lists with the result of each probe, and how fast reports are answered."""
    found = public_state()
    context = {
        "panel": of_visitor(request),
        "tenants": memberships_of(request),
        "found": found,
        "missing": claims.missing(),
        "not_claimed": NOT_CLAIMED,
        "is_demo": settings.IS_DEMO,
        "proof": proofs.isolation(),
    }
    return render(request, "trust/security.html", context)


@dataclass(frozen=True)
class PublicState:
    """What strangers see of the installation, and when it was looked at."""

    at: datetime
    checked: list[Checked]
    answered: disclosure.Answered | None
    report_address: str

    @property
    def live(self) -> int:
        return len(self.checked)

    @property
    def holding(self) -> int:
        """How many were seen to hold."""
        return sum(one.finding.holds is True for one in self.checked)

    @property
    def broken(self) -> int:
        return sum(one.finding.holds is False for one in self.checked)


def _public_state() -> PublicState:
    with tenant_context(NOBODY):
        checked = [check(claim) for claim in claims.live()]
        return PublicState(clock.now(), checked, disclosure.answered(), disclosure.address())


_recent = Recent(_public_state)


def public_state() -> PublicState:
    """Every claim checked for no tenant, at most a few seconds ago."""
    return _recent.get()


def security_txt(request: HttpRequest) -> HttpResponse:
    """RFC 9116."""
    expires = (clock.now() + CONTACT_LIFETIME).strftime("%Y-%m-%dT00:00:00Z")
    report = disclosure.address()
    lines = [
        *([f"Contact: {report}"] if report else []),
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


def security_settings(request: PageRequest, tenant: str) -> HttpResponse:
    """The wall as the database's own catalogue has it now, and every claim checked for this tenant."""
    require("settings.read")
    context = {
        "tables": catalogue.covered(),
        "faults": catalogue.faults(),
        "checked": [check(claim) for claim in claims.live()],
        "at": clock.now(),
        "proof": proofs.isolation(),
        "panels": [
            render_to_string(panel.template, {**panel.context(request), "tenant": request.tenant}, request=request)
            for panel in slots.security_panels
        ],
    }
    return page(request, "trust/settings.html", context)


def home(request: PageRequest, tenant: str) -> HttpResponse:
    """What waits for me, what I have sent, and whether the controls hold."""
    panels = [
        render_to_string(panel.template, {**panel.context(request), "tenant": request.tenant}, request=request)
        for panel in slots.home_panels
        if not panel.permission or current().allows(panel.permission)
    ]
    return page(request, "trust/home.html", {"panels": panels, "controls": controls()})
