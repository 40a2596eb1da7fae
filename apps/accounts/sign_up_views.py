"""Where signing up is open: ask for a link, behind it a person and their organisation; and, later, a further one."""

from __future__ import annotations

from allauth.account.internal.flows.login import perform_password_login
from allauth.account.models import Login
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from apps.tenants.pages import refusal_on
from apps.tenants.refusals import NotFound

from . import actions, limits
from .inputs import FoundingInput, OrganisationInput, SignUpInput
from .models import User


def sign_up(request: HttpRequest) -> HttpResponse:
    """Ask for a link. Counted by network, by what was typed and in all; the answer is the same for every address.

    Raises NotFound where it is closed, TooMany.
    """
    _refuse_where_closed()
    asked = SignUpInput(request.POST if request.method == "POST" else None)
    if asked.is_valid():
        email = asked.cleaned_data["email"].lower()
        for limit, subject in (
            (limits.SIGN_UPS_FROM_ADDRESS, limits.address_of(request)),
            (limits.SIGN_UPS_FOR_ADDRESS, email),
            (limits.SIGN_UPS_IN_ALL, ""),
        ):
            limits.spend(limit, subject, account=email)
        actions.ask_for_sign_up(email)
        return redirect("account_sign_up_sent")
    return render(request, "account/sign_up.html", {"input": asked}, status=422 if asked.errors else 200)


def sent(request: HttpRequest) -> HttpResponse:
    """A mail is on its way, whoever asked."""
    _refuse_where_closed()
    return render(request, "account/sign_up_sent.html")


def begin(request: HttpRequest, word: str) -> HttpResponse:
    """Behind the link: who they are and what they begin with; POST makes both and signs in. A scanner's GET changes nothing."""
    _refuse_where_closed()
    try:
        email = actions.look_at_sign_up(word)
        person = request.user if isinstance(request.user, User) else None
        asked = FoundingInput(request.POST if request.method == "POST" and person is None else None)
        if asked.is_valid():
            with refusal_on(asked):
                user, tenant = actions.sign_up(word, **asked.cleaned_data)
                return _sign_in(request, user, f"/t/{tenant.slug}/")
    except NotFound:
        return render(request, "account/sign_up_gone.html", status=404)
    context = {"email": email, "input": asked, "person": person, "days": actions.TRIAL.days}
    status = 409 if person and request.method == "POST" else 422 if asked.errors else 200
    return render(request, "account/sign_up_link.html", context, status=status)


def another(request: HttpRequest) -> HttpResponse:
    """A further organisation, for whoever is signed in by no tenant's provider. Raises NotFound where it is closed, TooMany."""
    _refuse_where_closed()
    user: User = request.user  # type: ignore[assignment]
    asked = OrganisationInput(request.POST if request.method == "POST" else None)
    if asked.is_valid():
        counted = ((limits.ORGANISATIONS_OF_PERSON, str(user.pk)), (limits.SIGN_UPS_IN_ALL, ""))
        for limit, subject in counted:
            limits.spend(limit, subject, account=user.email)
        with refusal_on(asked):
            tenant = actions.begin_organisation(user, **asked.cleaned_data)
            return redirect(f"/t/{tenant.slug}/")
        for limit, subject in counted:
            limits.give_back(limit, subject)  # nothing was begun
    context = {"input": asked, "days": actions.TRIAL.days}
    return render(request, "account/organisation.html", context, status=422 if asked.errors else 200)


def _sign_in(request: HttpRequest, user: User, target: str) -> HttpResponse:
    """By the password that was typed just now, in a session of its own."""
    request.session.flush()
    answer: HttpResponse = perform_password_login(request, {"email": user.email}, Login(user=user, redirect_url=target))
    return answer


def _refuse_where_closed() -> None:
    if not settings.SIGN_UP_IS_OPEN:
        raise NotFound()
