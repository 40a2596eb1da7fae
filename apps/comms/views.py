"""Settings → Webhooks."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.tenants.context import require
from apps.tenants.pages import PageRequest, did, page, refusal_on, turl
from apps.tenants.refusals import Text
from apps.tenants.windows import window

from . import actions
from .api import deliveries_of
from .inputs import EndpointInput
from .models import DeliveryState, WebhookEndpoint, WebhookSecret

SHOWN = 20
# What a button does, and what is said then.
BUTTONS: dict[str, tuple[Callable[..., object], Text]] = {
    "test": (actions.send_test, gettext_lazy("A test is on its way; reload the page to see what came of it.")),
    "end": (actions.end_old_secret, gettext_lazy("The old secret signs no more.")),
    "on": (partial(actions.change_endpoint, is_active=True), gettext_lazy("It is on.")),
    "off": (partial(actions.change_endpoint, is_active=False), gettext_lazy("It is off: nothing is told to it.")),
}


def webhooks(request: PageRequest, tenant: str) -> HttpResponse:
    """Every endpoint; POST adds one and shows its secret, once."""
    require("settings.read")
    asked = EndpointInput(request.POST or None)
    if request.method == "POST":
        require("settings.write")
        if asked.is_valid():
            with refusal_on(asked):
                made, secret = actions.create_endpoint(by=request.member, **asked.cleaned_data)
                return page(request, "comms/secret.html", {"endpoint": made, "secret": secret, "is_new": True})
    context = {
        "input": asked,
        "endpoints": WebhookEndpoint.objects.order_by("created_at"),
        "may_write": request.context.allows("settings.write"),
    }
    return page(request, "comms/webhooks.html", context, status=422 if asked.errors else 200)


def webhook(request: PageRequest, tenant: str, pk: UUID) -> HttpResponse:
    """One endpoint with its log; POST changes it."""
    require("settings.read")
    found = get_object_or_404(WebhookEndpoint, pk=pk)
    start = {"url": found.url, "description": found.description, "events": found.events}
    asked = EndpointInput(request.POST or None, initial=start)
    if request.method == "POST":
        require("settings.write")
        if asked.is_valid():
            with refusal_on(asked):
                actions.change_endpoint(found, by=request.member, **asked.cleaned_data)
                messages.success(request, _("Saved."))
                return redirect(turl(request, "comms:webhook", pk=pk))
    state = request.GET.get("state", "")
    context = {
        "endpoint": found,
        "input": asked,
        "log": window(deliveries_of(found, state), request.GET, by="queued_at", size=SHOWN),
        "state": state,
        "states": DeliveryState.choices,
        "secrets": WebhookSecret.objects.active().filter(endpoint=found),
        "may_write": request.context.allows("settings.write"),
    }
    return page(request, "comms/webhook.html", context, status=422 if asked.errors else 200)


def act(request: PageRequest, tenant: str, pk: UUID) -> HttpResponse:
    """POST does one thing to an endpoint: `do` is test, rotate, end, on, off or delete."""
    require("settings.write")
    found = get_object_or_404(WebhookEndpoint, pk=pk)
    asked = request.POST.get("do", "")
    if asked == "rotate":
        secret = actions.rotate_secret(found, by=request.member)
        return page(request, "comms/secret.html", {"endpoint": found, "secret": secret})
    if asked == "delete":
        actions.delete_endpoint(found, by=request.member)
        messages.success(request, _("The endpoint is removed."))
        return redirect(turl(request, "comms:webhooks"))
    if asked in BUTTONS:
        what, text = BUTTONS[asked]
        did(request, lambda: what(found, by=request.member), text)
    return redirect(turl(request, "comms:webhook", pk=pk))


def resend(request: PageRequest, tenant: str, pk: UUID, delivery: UUID) -> HttpResponse:
    """POST sends one message again."""
    require("settings.write")
    found = get_object_or_404(get_object_or_404(WebhookEndpoint, pk=pk).deliveries, pk=delivery)
    did(request, lambda: actions.resend(found, by=request.member), _("It is on its way again."))
    return redirect(turl(request, "comms:webhook", pk=pk))
