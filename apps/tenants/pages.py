"""What every page of a tenant shares: its shell, its addresses, and how a refusal is shown where the person is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.contrib import messages
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from .context import TenantContext, current
from .models import Tenant
from .refusals import Conflict, Invalid, Refused, Text, flatten
from .slots import slots


class PageRequest(HttpRequest):
    """A request below /t/<slug>/ after the gateway: the person is a member of this tenant."""

    tenant: Tenant
    member: Any
    context: TenantContext


def turl(request: HttpRequest, name: str, **kwargs: Any) -> str:
    """The address of a tenant's page, for the tenant of this request."""
    return reverse(name, kwargs={"tenant": request.tenant.slug, **kwargs})  # type: ignore[attr-defined]


def shell(request: HttpRequest) -> dict[str, Any]:
    """What app.html needs around every page."""
    allowed = current().allows
    return {
        "tenant": getattr(request, "tenant", None),
        "member": getattr(request, "member", None),
        "navigation": [
            {"item": item, "url": turl(request, item.url_name), "count": item.count() if item.count else None}
            for item in slots.navigation
            if not item.permission or allowed(item.permission)
        ],
        "settings_pages": [
            {"page": item, "url": turl(request, item.url_name)}
            for item in slots.settings_pages
            if allowed(item.permission)
        ],
        "memberships": slots.memberships(request),
        "may_begin_another": slots.may_begin_another(request),
        "is_limited": slots.is_limited(request),
        "banners": [{"text": text, "action": item.action} for item in slots.banners if (text := item.text(request))],
    }


def page(
    request: HttpRequest, template: str, context: Mapping[str, Any] | None = None, status: int = 200
) -> HttpResponse:
    """Render a tenant's page in its shell."""
    return render(request, template, {**shell(request), **(context or {})}, status=status)


@contextmanager
def refusal_on(form: Form) -> Iterator[None]:
    """Show what a rule refuses on the form that was sent, with what was typed kept.

    The view goes on after the block when something was refused, and renders the form with its errors.
    """
    try:
        yield
    except Refused as refused:
        form.add_error(refused.field if refused.field in form.fields else None, str(refused.detail))
    except Invalid as invalid:
        for place, text in flatten(invalid.errors):
            form.add_error(place if place in form.fields else None, str(text))


def did(request: HttpRequest, act: Callable[[], object], text: Text) -> bool:
    """Do what a button asks for, and say above the next page that it is done, or why it cannot be now."""
    try:
        act()
    except (Refused, Conflict) as refused:
        messages.error(request, str(refused.detail))
        return False
    messages.success(request, str(text))
    return True


def done(request: HttpRequest, text: Text, name: str) -> HttpResponse:
    """On to a page of the tenant, which says above it what was done."""
    messages.success(request, str(text))
    return redirect(turl(request, name))
