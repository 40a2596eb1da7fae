"""Signing in by a tenant's provider: to the provider, back from it, and the one question before a first link."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.login import resume_login
from allauth.account.models import Login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from apps.tenants import clock
from apps.tenants.caller import called_for
from apps.tenants.context import as_system
from apps.tenants.refusals import NotFound, PaymentRequired, Refused
from apps.tenants.security_events import Kind, security_event

from ..answers import problem_answer
from ..models import Member, User
from ..pseudonyms import called_by_address
from . import actions, provider, rules, session
from .actions import MustLink, NotAdmitted
from .finding import Door, find
from .inputs import AddressInput
from .models import SsoConnection, SsoIdentity
from .rules import Expected, Mistrusted

LINK = "orkestra_sso_link"
HINT = "orkestra_sso_hint"
LINK_SECONDS = 600


def ask(request: HttpRequest) -> HttpResponse:
    """Which organisation? POST an address: its domain names the provider, and says nothing about the person."""
    asked = AddressInput(request.POST or None)
    doors: list[Door] = []
    if request.method == "POST" and asked.is_valid():
        email = asked.cleaned_data["email"]
        doors = find(domain=rules.domain_of(email))
        request.session[HINT] = email
        if not doors:
            asked.add_error("email", _("No organisation here signs in by a provider for addresses of this domain."))
    context = {"input": asked, "doors": doors, "next": request.GET.get("next", "")}
    return render(request, "account/sso.html", context, status=422 if asked.errors else 200)


def of_tenant(request: HttpRequest, slug: str) -> HttpResponse:
    """The providers of one organisation, by its address; straight on where there is one."""
    doors = find(slug=slug)
    if not doors:
        raise NotFound()
    if len(doors) == 1:
        return redirect(_start_url(doors[0].id, request.GET.get("next", "")))
    context = {"input": AddressInput(), "doors": doors, "next": request.GET.get("next", "")}
    return render(request, "account/sso.html", context)


def start(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Leave for the provider. A link, not a form: `form-action 'self'` forbids a form to lead to another site."""
    connection, slug = _connection(pk)
    target = _target(request, slug)
    is_fresh = "again" in request.GET
    hint = str(request.session.pop(HINT, ""))
    try:
        with as_system(connection.tenant.pk):
            started = session.begin(request, connection, target=target, hint=hint, is_fresh=is_fresh)
            url = provider.authorize_url(connection, started)
    except (provider.Unreachable, Mistrusted) as failed:
        return _sorry(request, connection, failed.reason, email=hint)
    return redirect(url)


def callback(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Back from the provider: whatever does not hold lets nobody in, and each sign-in is answered once."""
    connection, _slug = _connection(pk)
    taken = session.take(request, pk, request.GET.get("state", ""))
    if taken is None:
        return _sorry(request, connection, "state_unknown", is_told=False)
    started, target = taken
    email = started.hint
    with as_system(connection.tenant.pk):
        try:
            person = _redeem(request, connection, started)
            email = person.email or email
            with called_by_address(email):
                identity = actions.admit(connection, person)
        except MustLink as must:
            return _ask_to_link(request, connection, must.member, person, target)
        except Mistrusted as failed:
            if failed.is_forged:
                security_event(Kind.IDENTITY_FORGED, reason=failed.reason, connection=str(connection.pk))
            return _sorry(request, connection, failed.reason, email=email)
        except provider.Unreachable as failed:
            return _sorry(request, connection, failed.reason, email=email)
        except NotAdmitted as refusal:
            return _sorry(request, connection, refusal.reason, text=str(refusal), email=email)
        except PaymentRequired as full:
            actions.refused("over_quota", connection, email)
            return problem_answer(request, full)  # here, where the plan that it names can be read
    factor = rules.second_factor_of(connection.factor_trust, person.amr)
    if started.is_fresh and (answer := _renew(request, identity, target, factor=factor, seen_at=person.seen_at)):
        return answer
    return _open(request, identity, target, factor=factor, seen_at=person.seen_at)


def link(request: HttpRequest) -> HttpResponse:
    """“Is this you?”, before a member is tied to their account at the provider; POST ties and signs in."""
    asked: dict[str, Any] = request.session.get(LINK) or {}
    if not asked or time.time() - asked["at"] > LINK_SECONDS:
        return redirect("account_sso")
    connection, _slug = _connection(UUID(asked["connection"]))
    with as_system(connection.tenant.pk):
        member = Member.objects.active().select_related("user", "tenant").filter(pk=asked["member"]).first()
        if member is None or member.email.lower() != asked["email"]:
            raise NotFound()
        if request.method != "POST":
            return render(request, "account/sso_link.html", {"connection": connection, "who": member})
        del request.session[LINK]
        try:
            with called_for(member.user_id):
                identity = actions.link(connection, subject=asked["subject"], member=member)
        except Refused as refused:
            return _sorry(request, connection, "linked_already", text=str(refused.detail), email=member.email)
    return _open(request, identity, asked["target"], factor=asked["factor"], seen_at=asked["seen_at"])


def _redeem(request: HttpRequest, connection: SsoConnection, started: provider.Started) -> rules.Said:
    there = provider.metadata(connection)
    rules.check_issuer_of_answer(request.GET.get("iss"), issuer=connection.issuer, is_promised=there.says_issuer)
    if "error" in request.GET or not request.GET.get("code"):
        raise Mistrusted("provider_refused")
    since = clock.now() if started.is_fresh else None
    expected = Expected(connection.issuer, connection.client_id, started.nonce, since)
    return provider.redeem(connection, request.GET["code"], started.verifier, expected)


def _ask_to_link(
    request: HttpRequest, connection: SsoConnection, member: Member, person: rules.Said, target: str
) -> HttpResponse:
    request.session[LINK] = {
        "connection": str(connection.pk),
        "member": str(member.pk),
        "email": member.email.lower(),
        "subject": person.subject,
        "target": target,
        "factor": rules.second_factor_of(connection.factor_trust, person.amr),
        "seen_at": person.seen_at,
        "at": time.time(),
    }
    return redirect("account_sso_link")


def _open(request: HttpRequest, identity: SsoIdentity, target: str, *, factor: str, seen_at: float) -> HttpResponse:
    """A session of its own, limited to the tenant; a second factor of the person is asked for unless one counts."""
    user: User = identity.member.user
    request.session.flush()
    session.mark(request, user, identity, factor=factor, seen_at=seen_at)
    login = Login(user=user, redirect_url=target)
    if not factor:
        return resume_login(request, login)
    adapter = get_adapter(request)
    adapter.login(request, user)
    answer: HttpResponse = adapter.post_login(
        request,
        user,
        email_verification=login.email_verification,
        signal_kwargs=None,
        email=None,
        signup=False,
        redirect_url=target,
    )
    return answer


def _renew(
    request: HttpRequest, identity: SsoIdentity, target: str, *, factor: str, seen_at: float
) -> HttpResponse | None:
    """Where the person is signed in by this very identity: the moment is new, the session stays."""
    user = request.user
    opened = session.opened_by(request, user) if isinstance(user, User) else None
    if opened is None or opened.identity != identity.pk or not isinstance(user, User):
        return None
    session.mark(request, user, identity, factor=factor, seen_at=seen_at)
    return redirect(target)


def _sorry(
    request: HttpRequest,
    connection: SsoConnection,
    reason: str,
    *,
    text: str = "",
    email: str = "",
    is_told: bool = True,
) -> HttpResponse:
    """Nobody was let in: why, in words for the person and a word for whoever looks into it."""
    is_away = reason.startswith(("discovery_", "keys_", "token_", "userinfo_"))
    if is_told:
        with as_system(connection.tenant.pk):
            actions.refused(reason, connection, email)
    context = {"connection": connection, "reason": reason, "text": text, "is_away": is_away}
    answer = render(request, "account/sso_refused.html", context, status=503 if is_away else 403)
    if is_away:
        answer["Retry-After"] = "30"
    return answer


def _connection(pk: UUID) -> tuple[SsoConnection, str]:
    """An active provider and its tenant's address. Raises NotFound."""
    doors = find(pk=pk)
    if not doors:
        raise NotFound()
    with as_system(doors[0].tenant):
        found = SsoConnection.objects.active().select_related("tenant").filter(pk=pk).first()
    if found is None:
        raise NotFound()
    return found, found.tenant.slug


def _target(request: HttpRequest, slug: str) -> str:
    """Where to land: a page of this tenant, whatever was asked for."""
    asked = request.GET.get("next", "")
    inside = asked.startswith(f"/t/{slug}/") and url_has_allowed_host_and_scheme(asked, allowed_hosts=None)
    return asked if inside or ("again" in request.GET and asked == reverse("account_again")) else f"/t/{slug}/"


def _start_url(pk: UUID, target: str) -> str:
    url = reverse("account_sso_start", kwargs={"pk": pk})
    return f"{url}?{urlencode({'next': target})}" if target else url
