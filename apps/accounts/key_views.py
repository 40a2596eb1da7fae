"""Settings → API keys, and the service accounts that some of them act as."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import Count, F, OuterRef, Subquery
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _

from apps.tenants.context import require
from apps.tenants.pages import PageRequest, page, refusal_on, turl
from apps.tenants.refusals import Invalid, Refused

from . import actions
from .inputs import ApiKeyInput, ServiceAccountInput
from .models import ApiKey, Member
from .rules import PERMISSIONS


def api_keys(request: PageRequest, tenant: str) -> HttpResponse:
    """Keys that are alive; POST makes one and shows it this once."""
    require("api_keys.write")
    asked, text = _key_input(request, request.POST or None), ""
    if request.method == "POST" and asked.is_valid():
        with refusal_on(asked):
            _made, text = actions.create_api_key(by=request.member, **asked.cleaned_data)
            asked = _key_input(request)
    return _page(request, asked, ServiceAccountInput(prefix="service"), text=text)


def service_accounts(request: PageRequest, tenant: str) -> HttpResponse:
    """POST makes a service account."""
    require("api_keys.write")
    asked = ServiceAccountInput(request.POST, prefix="service")
    if asked.is_valid():
        with refusal_on(asked):
            made = actions.create_service_account(by=request.member, **asked.cleaned_data)
            messages.success(request, _("%(name)s is made; now make a key for it.") % {"name": made.user.name})
            return redirect(turl(request, "accounts:api-keys"))
    return _page(request, _key_input(request), asked)


def service_account(request: PageRequest, tenant: str, pk: UUID) -> HttpResponse:
    """POST switches one off or on (`do`), or gives it another role."""
    require("api_keys.write")
    found = get_object_or_404(Member.objects.filter(is_service=True), pk=pk)
    asked = request.POST.get("do", "")
    try:
        if asked in {"on", "off"}:
            actions.change_service_account(found, is_active=asked == "on", by=request.member)
        else:
            actions.change_service_account(found, role=request.POST.get("role", ""), by=request.member)
        messages.success(request, _("Saved."))
    except (Refused, Invalid) as refused:
        messages.error(request, str(refused.detail))
    return redirect(turl(request, "accounts:api-keys"))


def _key_input(request: PageRequest, sent: Any = None) -> ApiKeyInput:
    accounts = Member.objects.active().filter(is_service=True).select_related("user").order_by("user__name")
    return ApiKeyInput(sent, held=frozenset(request.member.permissions), accounts=accounts)


def _page(request: PageRequest, key: ApiKeyInput, service: ServiceAccountInput, *, text: str = "") -> HttpResponse:
    rows = ApiKey.objects.alive().select_related("member__user").order_by("-created_at")
    used = ApiKey.objects.filter(member=OuterRef("pk")).order_by(F("last_used_at").desc(nulls_last=True))
    alive = ApiKey.objects.alive().filter(member=OuterRef("pk")).order_by().values("member").annotate(n=Count("pk"))
    accounts = Member.objects.filter(is_service=True).select_related("user").order_by("-is_active", "user__name")
    context = {
        "input": key,
        "service": service,
        "keys": [(one, [PERMISSIONS.get(name, name) for name in one.scopes]) for one in rows],
        "accounts": accounts.annotate(
            last_used=Subquery(used.values("last_used_at")[:1]), keys=Subquery(alive.values("n"))
        ),
        "roles": service.fields["role"].choices,  # type: ignore[attr-defined]
        "text": text,
    }
    return page(request, "settings/api_keys.html", context, status=422 if key.errors or service.errors else 200)


def revoke(request: PageRequest, tenant: str, pk: UUID) -> HttpResponse:
    """POST ends a key."""
    require("api_keys.write")
    if request.method == "POST":
        actions.revoke_api_key(get_object_or_404(ApiKey, pk=pk), by=request.member)
        messages.success(request, _("The key is ended."))
    return redirect(turl(request, "accounts:api-keys"))
