"""Settings → API keys."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _

from apps.tenants.context import require
from apps.tenants.pages import PageRequest, page, refusal_on, turl

from . import actions
from .inputs import ApiKeyInput
from .models import ApiKey
from .rules import PERMISSIONS


def api_keys(request: PageRequest, tenant: str) -> HttpResponse:
    """Keys that are alive; POST makes one and shows it this once."""
    require("api_keys.write")
    held = frozenset(request.member.permissions)
    asked, text = ApiKeyInput(request.POST or None, held=held), ""
    if request.method == "POST" and asked.is_valid():
        with refusal_on(asked):
            _made, text = actions.create_api_key(by=request.member, **asked.cleaned_data)
            asked = ApiKeyInput(held=held)
    rows = ApiKey.objects.alive().select_related("member__user").order_by("-created_at")
    keys = [(key, [PERMISSIONS.get(name, name) for name in key.scopes]) for key in rows]
    context = {"input": asked, "keys": keys, "text": text}
    return page(request, "settings/api_keys.html", context, status=422 if asked.errors else 200)


def revoke(request: PageRequest, tenant: str, pk: UUID) -> HttpResponse:
    """POST ends a key."""
    require("api_keys.write")
    if request.method == "POST":
        actions.revoke_api_key(get_object_or_404(ApiKey, pk=pk), by=request.member)
        messages.success(request, _("The key is ended."))
    return redirect(turl(request, "accounts:api-keys"))
