"""The pages of another e-mail address: ask for it, and behind the link that was mailed there, take it."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from apps.tenants.pages import refusal_on
from apps.tenants.refusals import NotFound

from . import actions, limits
from .inputs import SignUpInput
from .models import User


def address(request: HttpRequest) -> HttpResponse:
    """My address, and a form for another. The answer is the same whether somebody has it. Raises TooMany, NotFresh."""
    user = cast(User, request.user)
    asked = SignUpInput(request.POST if request.method == "POST" else None)
    if asked.is_valid():
        email = asked.cleaned_data["email"].lower()
        limits.spend(limits.CHANGES_OF_ADDRESS, str(user.pk))
        limits.spend(limits.CHANGES_TO_ADDRESS, email, account=email)
        with refusal_on(asked):
            actions.ask_for_address(user, email)
            text = _("We have sent a mail to %(email)s. Open its link within 24 hours, while you are signed in here.")
            messages.success(request, text % {"email": email})
            return redirect("account_address")
    context = {"input": asked, "person": user}
    return render(request, "account/address.html", context, status=422 if asked.errors else 200)


def confirm(request: HttpRequest, word: str) -> HttpResponse:
    """Behind the link, for the person who asked; POST takes the address. A mail scanner's GET changes nothing."""
    user, sent = cast(User, request.user), Form(request.POST if request.method == "POST" else None)
    try:
        email = actions.look_at_address(word, user=user)
        if request.method == "POST":
            sent.is_valid()
            with refusal_on(sent):
                actions.change_address(word, user=user, session=request.session.session_key or "")
                messages.success(request, _("Your address is %(email)s now.") % {"email": email})
                return redirect("account_address")
    except NotFound:
        return render(request, "account/address_gone.html", {"person": user}, status=404)
    context = {"email": email, "input": sent, "person": user}
    return render(request, "account/address_link.html", context, status=422 if sent.errors else 200)
