"""Settings → Webhooks."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _

from apps.tenants.context import require
from apps.tenants.pages import PageRequest, page, refusal_on, turl
from apps.tenants.refusals import Conflict
from apps.tenants.windows import window

from . import actions
from .api import deliveries_of
from .inputs import EndpointInput
from .models import DeliveryState, WebhookEndpoint, WebhookSecret

SHOWN = 20


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
    try:
        if text := _small_act(found, asked, by=request.member):
            messages.success(request, text)
    except Conflict as conflict:
        messages.error(request, str(conflict.detail))
    return redirect(turl(request, "comms:webhook", pk=pk))


def _small_act(endpoint: WebhookEndpoint, asked: str, *, by: Any) -> str:
    if asked == "test":
        actions.send_test(endpoint, by=by)
        return _("A test is on its way; reload the page to see what came of it.")
    if asked == "end":
        actions.end_old_secret(endpoint, by=by)
        return _("The old secret signs no more.")
    if asked in {"on", "off"}:
        actions.change_endpoint(endpoint, by=by, is_active=asked == "on")
        return _("It is on.") if asked == "on" else _("It is off: nothing is told to it.")
    return ""


def resend(request: PageRequest, tenant: str, pk: UUID, delivery: UUID) -> HttpResponse:
    """POST sends one message again."""
    require("settings.write")
    found = get_object_or_404(get_object_or_404(WebhookEndpoint, pk=pk).deliveries, pk=delivery)
    try:
        actions.resend(found, by=request.member)
        messages.success(request, _("It is on its way again."))
    except Conflict as conflict:
        messages.error(request, str(conflict.detail))
    return redirect(turl(request, "comms:webhook", pk=pk))
