"""A library's page that changes something, and our entry about it, in one transaction: both are there or neither."""

from __future__ import annotations

from typing import Any

from allauth.account.views import PasswordChangeView
from allauth.mfa.totp.views import DeactivateTOTPView
from allauth.mfa.webauthn.views import RemoveWebAuthnView
from django.db import transaction
from django.http import HttpResponse

from apps.tenants.pages import refusal_on

from .known import remember


class OneAct:
    """Mixed into a page of allauth, whose signals tell us what it did, and through us the log, mail and sessions.

    Only the change itself is inside: tries that were counted before it stay counted, whatever becomes of it.
    """

    def form_valid(self, form: Any) -> Any:
        with transaction.atomic():
            return super().form_valid(form)  # type: ignore[misc]


class ChangePasswordView(OneAct, PasswordChangeView):  # type: ignore[misc]
    """Another password, which ends what the old one opened; the browser that sets it stays known."""

    def form_valid(self, form: Any) -> Any:
        response = super().form_valid(form)
        remember(response, self.request, self.request.user)
        return response


class LetsGo(OneAct):
    """Mixed into a page that takes a factor away: why it may not go is said on the page."""

    def form_valid(self, form: Any) -> Any:
        with refusal_on(form):
            return super().form_valid(form)
        answer: HttpResponse = self.form_invalid(form)  # type: ignore[attr-defined]
        answer.status_code = 422
        return answer


class GiveUpAppView(LetsGo, DeactivateTOTPView):  # type: ignore[misc]
    """Give an app up."""


class RemovePasskeyView(LetsGo, RemoveWebAuthnView):  # type: ignore[misc]
    """Remove a passkey."""
