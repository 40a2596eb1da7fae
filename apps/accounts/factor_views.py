"""The pages of recovery codes: shown once when they are made, and after that only counted."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.reauthentication import raise_if_reauthentication_required
from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authenticator_added
from allauth.mfa.totp.internal.auth import TOTP, clear_totp_secret
from allauth.mfa.totp.views import ActivateTOTPView
from allauth.mfa.webauthn.views import AddWebAuthnView
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from apps.tenants.encryption import Unreadable, seal, unseal

from . import actions, second_factor
from .models import User
from .one_act import OneAct

MADE = "orkestra_new_codes"
PURPOSE = "recovery codes that are shown next"


class AppView(ActivateTOTPView):  # type: ignore[misc]
    """Set an app up; with the first factor its recovery codes come next, while they can be shown."""

    def form_valid(self, form: Any) -> HttpResponse:
        """The library tells of it only after its commit; here the app and what we do about it are one act."""
        raise_if_reauthentication_required(self.request, app="allauth.mfa")
        self.did_generate_recovery_codes = False  # its own; ours come with the signal
        with transaction.atomic():
            made = TOTP.activate(self.request.user, form.secret).instance
            authenticator_added.send(
                sender=Authenticator, request=self.request, user=self.request.user, authenticator=made
            )
        clear_totp_secret(self.request)
        get_adapter(self.request).add_message(self.request, messages.SUCCESS, "mfa/messages/totp_activated.txt")
        return redirect(self.get_success_url())

    def get_success_url(self) -> str:
        return _next(self.request, super().get_success_url())


class PasskeyView(OneAct, AddWebAuthnView):  # type: ignore[misc]
    """Add a passkey; with the first factor its recovery codes come next."""

    def get_success_url(self) -> str:
        return _next(self.request, super().get_success_url())


def _next(request: HttpRequest, usual: str) -> str:
    return reverse("mfa_view_recovery_codes") if MADE in request.session else usual


def show_next(request: HttpRequest, codes: list[str]) -> None:
    """Keep new codes in the session for their page; sealed, for its row in the database is read by more than we are."""
    request.session[MADE] = seal(PURPOSE, " ".join(codes))


def _made(request: HttpRequest) -> list[str]:
    """The codes that were just made, once; none where the key they were sealed by has gone meanwhile."""
    try:
        return unseal(PURPOSE, request.session.pop(MADE, "")).split()
    except Unreadable:
        return []


def recovery_codes(request: HttpRequest) -> HttpResponse:
    """The codes that were just made, once; else how many are left."""
    user: User = request.user  # type: ignore[assignment]
    if not second_factor.has_one(user):
        return redirect("mfa_index")
    context = {"codes": _made(request), "left": second_factor.codes_left(user)}
    return render(request, "mfa/recovery_codes/index.html", context)


def new_recovery_codes(request: HttpRequest) -> HttpResponse:
    """POST makes ten new ones; the old ones end at once."""
    user: User = request.user  # type: ignore[assignment]
    if not second_factor.has_one(user):
        return redirect("mfa_index")
    if request.method != "POST":
        return render(request, "mfa/recovery_codes/generate.html")
    with transaction.atomic():
        show_next(request, second_factor.new_codes(user))
        actions.factor_changed(user, "factor.codes_made")
    return redirect("mfa_view_recovery_codes")
