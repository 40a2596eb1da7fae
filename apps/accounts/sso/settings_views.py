"""Settings → SSO: providers, proven domains, and whether anything else lets people in."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _

from apps.tenants.context import require
from apps.tenants.ids import id_in
from apps.tenants.pages import PageRequest, page, refusal_on, turl
from apps.tenants.refusals import Refused

from .. import second_factor
from ..models import Member
from ..rules import Role
from . import actions, txt
from .inputs import ConnectionChangeInput, ConnectionInput, DomainInput, SsoOnlyInput
from .models import FactorTrust, SsoConnection, SsoDomain, SsoIdentity
from .provider import callback_url


def overview(request: PageRequest, tenant: str) -> HttpResponse:
    """Everything about single sign-on; POST names a domain."""
    require("settings.read")
    asked = DomainInput(request.POST or None)
    if request.method == "POST":
        actions.may_change()
        if asked.is_valid():
            with refusal_on(asked):
                actions.add_domain(by=request.member, **asked.cleaned_data)
                return _done(request, _("Now put the record into its DNS, and then check it here."))
    return _overview(request, domain=asked, status=422 if asked.errors else 200)


def add(request: PageRequest, tenant: str) -> HttpResponse:
    """A new provider; POST asks it where its doors are, and keeps it."""
    require("settings.read")
    asked = ConnectionInput(request.POST or None)
    if request.method == "POST":
        actions.may_change()
        if asked.is_valid():
            with refusal_on(asked):
                made = actions.add_connection(by=request.member, **asked.cleaned_data)
                messages.success(request, _("The provider answers. Register the address below with it, then try it."))
                return redirect(turl(request, "accounts:sso_connection", pk=made.pk))
    return page(request, "settings/sso_add.html", {"input": asked}, status=422 if asked.errors else 200)


def connection(request: PageRequest, tenant: str, pk: UUID) -> HttpResponse:
    """One provider; POST `do` changes it, removes it, or unlinks a member."""
    require("settings.read")
    found = get_object_or_404(SsoConnection.objects.active(), pk=pk)
    asked = ConnectionChangeInput(initial=_initial(found))
    if request.method == "POST":
        actions.may_change()
        if "unlink" in request.POST:
            return _unlink(request, found)
        if request.POST.get("do") == "remove":
            return _remove(request, found)
        asked = ConnectionChangeInput(request.POST)
        if asked.is_valid():
            with refusal_on(asked):
                actions.change_connection(found, by=request.member, **asked.cleaned_data)
                return _done(request, _("Saved."))
    context = {
        "connection": found,
        "input": asked,
        "callback": callback_url(found),
        "start": f"{settings.PUBLIC_URL}/account/sso/{found.pk}/",
        "linked": found.identities.select_related("member__user").order_by("member__user__name"),
        "may_write": request.context.allows("members.write"),
    }
    return page(request, "settings/sso_connection.html", context, status=422 if asked.errors else 200)


def domain(request: PageRequest, tenant: str, pk: UUID) -> HttpResponse:
    """POST looks into a domain's DNS now, or takes the domain out."""
    actions.may_change()
    found = get_object_or_404(SsoDomain, pk=pk)
    if request.POST.get("do") == "remove":
        try:
            actions.remove_domain(found, by=request.member)
        except Refused as refused:
            messages.error(request, str(refused.detail))
        return redirect(turl(request, "accounts:sso"))
    seen = actions.check_domain(found)
    if seen:
        return _done(request, _("%(domain)s is proven.") % {"domain": found.domain})
    text = _("DNS gave no answer; try again in a moment.") if seen is None else _("The record is not there yet.")
    messages.error(request, f"{found.domain}: {text}")
    return redirect(turl(request, "accounts:sso"))


def only(request: PageRequest, tenant: str) -> HttpResponse:
    """POST says whether members of proven domains come by the provider only, and who may get past it."""
    actions.may_change()
    asked = SsoOnlyInput(request.POST, owners=_owners())
    if asked.is_valid():
        with refusal_on(asked):
            chosen = list(asked.cleaned_data["break_glass"])
            actions.set_sso_only(request.tenant, on=asked.cleaned_data["on"], break_glass=chosen, by=request.member)
            return _done(request, _("Saved."))
    return _overview(request, only=asked, status=422)


def _overview(
    request: PageRequest, *, domain: DomainInput | None = None, only: SsoOnlyInput | None = None, status: int = 200
) -> HttpResponse:
    owners = list(_owners())
    factors = {member.pk: second_factor.is_set_up(member.user_id) for member in owners}
    chosen = set(only.data.getlist("break_glass")) if only else {str(m.pk) for m in owners if m.is_break_glass}  # type: ignore[attr-defined]
    connections = SsoConnection.objects.active().annotate(people=Count("identities")).order_by("name")
    context: dict[str, Any] = {
        "connections": connections,
        "domains": [(row, txt.place(row.domain), txt.proof(row.challenge)) for row in _domains()],
        "domain": domain or DomainInput(),
        "only": only or SsoOnlyInput(initial={"on": request.tenant.is_sso_only}, owners=_owners()),
        "is_only": "on" in only.data if only else request.tenant.is_sso_only,
        "owners": [(member, factors[member.pk], str(member.pk) in chosen) for member in owners],
        "start": f"{settings.PUBLIC_URL}/account/sso/{request.tenant.slug}/",
        "asks_twice": request.tenant.factor_required_from
        and connections.filter(factor_trust=FactorTrust.NEVER).exists(),
        "may_write": request.context.allows("members.write"),
    }
    return page(request, "settings/sso.html", context, status=status)


def _domains() -> Any:
    return SsoDomain.objects.order_by("domain")


def _owners() -> Any:
    return Member.objects.active().filter(role=Role.OWNER).select_related("user").order_by("user__name")


def _initial(found: SsoConnection) -> dict[str, str]:
    names = ("name", "client_id", "default_role", "factor_trust")
    return {name: str(getattr(found, name)) for name in names}


def _unlink(request: PageRequest, found: SsoConnection) -> HttpResponse:
    identity = get_object_or_404(SsoIdentity, connection=found, pk=id_in(request.POST["unlink"]))
    actions.unlink(identity, by=request.member)
    messages.success(request, _("Unlinked: the next sign-in asks again who it is."))
    return redirect(turl(request, "accounts:sso_connection", pk=found.pk))


def _remove(request: PageRequest, found: SsoConnection) -> HttpResponse:
    try:
        actions.remove_connection(found, by=request.member)
    except Refused as refused:
        messages.error(request, str(refused.detail))
        return redirect(turl(request, "accounts:sso_connection", pk=found.pk))
    return _done(request, _("The provider is removed; whoever it let in is out."))


def _done(request: HttpRequest, text: str) -> HttpResponse:
    messages.success(request, text)
    return redirect(turl(request, "accounts:sso"))
