"""Settings → Audit log → Streams."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.tenants.context import require
from apps.tenants.freshness import require_fresh
from apps.tenants.pages import PageRequest, did, page, refusal_on, turl
from apps.tenants.refusals import Text

from . import actions
from .inputs import ReplayInput, StreamInput
from .models import Stream

# What a button does, and what is said then.
BUTTONS: dict[str, tuple[Callable[..., object], Text]] = {
    "test": (actions.send_test, gettext_lazy("A test is on its way; reload the page to see what came of it.")),
    "pause": (actions.pause, gettext_lazy("It is paused; nothing is lost meanwhile.")),
    "resume": (actions.resume, gettext_lazy("It goes on where it was.")),
}


def streams(request: PageRequest, tenant: str) -> HttpResponse:
    """Every destination, with its health and how far behind it is."""
    require("audit.read")
    context = {"streams": Stream.objects.order_by("created_at"), "may_write": _may_write(request)}
    return page(request, "operations/streams/list.html", context)


def new(request: PageRequest, tenant: str) -> HttpResponse:
    """Add a destination, for a person who signed in just now; its secret is shown once."""
    require("settings.write")
    require("audit.read")
    require_fresh("stream.add")
    asked = StreamInput(request.POST or None)
    if request.method == "POST" and asked.is_valid():
        with refusal_on(asked):
            made, secret = actions.add_stream(by=request.member, **asked.asked())
            return page(request, "operations/streams/secret.html", {"stream": made, "secret": secret, "is_new": True})
    return page(request, "operations/streams/new.html", {"input": asked}, status=422 if asked.errors else 200)


def stream(request: PageRequest, tenant: str, pk: UUID) -> HttpResponse:
    """One destination; POST sends everything from a place of the log on again."""
    require("audit.read")
    found = get_object_or_404(Stream, pk=pk)
    asked = ReplayInput(request.POST or None)
    if request.method == "POST":
        require("settings.write")
        if asked.is_valid():
            with refusal_on(asked):
                actions.replay(found, since=asked.cleaned_data["since"], by=request.member)
                messages.success(request, _("It is sent again from there on."))
                return redirect(turl(request, "streams:stream", pk=pk))
    context = {"stream": found, "input": asked, "may_write": _may_write(request)}
    return page(request, "operations/streams/stream.html", context, status=422 if asked.errors else 200)


def act(request: PageRequest, tenant: str, pk: UUID) -> HttpResponse:
    """POST does one thing to a destination: `do` is test, pause, resume, rotate or remove."""
    require("settings.write")
    found = get_object_or_404(Stream, pk=pk)
    asked = request.POST.get("do", "")
    if asked == "rotate":
        secret = actions.rotate(found, by=request.member)
        return page(request, "operations/streams/secret.html", {"stream": found, "secret": secret})
    if asked == "remove":
        actions.remove_stream(found, by=request.member)
        messages.success(request, _("The stream is removed."))
        return redirect(turl(request, "streams:list"))
    if asked in BUTTONS:
        what, text = BUTTONS[asked]
        did(request, lambda: what(found, by=request.member), text)
    return redirect(turl(request, "streams:stream", pk=pk))


def _may_write(request: PageRequest) -> bool:
    return request.context.allows("settings.write")
