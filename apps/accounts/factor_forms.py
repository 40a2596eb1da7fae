"""The forms in which a code is typed: when an app is set up, at sign-in, and when it is asked whether it is really them."""

from __future__ import annotations

from typing import Any, ClassVar

from allauth.account.internal.flows.login import record_authentication
from allauth.core import context
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.forms import ActivateTOTPForm
from allauth.mfa.totp.internal.auth import SECRET_SESSION_KEY, generate_totp_secret
from allauth.mfa.webauthn.forms import AuthenticateWebAuthnForm
from django import forms
from django.utils.translation import gettext_lazy as _

from apps.tenants.encryption import Unreadable, seal, unseal

from . import actions, limits, second_factor

PURPOSE = "app that is being set up"


class AppForm(ActivateTOTPForm):  # type: ignore[misc]
    """The first code of an app. Its secret waits in the session, sealed: the session's row is read by more than we are."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.user = kwargs.pop("user")
        forms.Form.__init__(self, *args, **kwargs)  # past the library's own, which keeps the secret in the clear
        self.secret = _waiting() if self.is_bound else ""
        if not self.secret:
            self.secret = generate_totp_secret()
            context.request.session[SECRET_SESSION_KEY] = seal(PURPOSE, self.secret)


def _waiting() -> str:
    """The secret that the page showed last; empty where there is none, or the key it was sealed by has gone meanwhile."""
    try:
        return unseal(PURPOSE, context.request.session.get(SECRET_SESSION_KEY, ""))
    except Unreadable:
        return ""


class CodeForm(forms.Form):
    """A code of the app, or a recovery code; each is good once."""

    is_again: ClassVar[bool] = False
    code = forms.CharField(label=_("Code"), max_length=40)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.user = kwargs.pop("user")
        super().__init__(*args, **kwargs)

    def clean_code(self) -> str:
        """The code, if it is good. Raises TooMany, which is answered with 429 whatever else was typed."""
        code = str(self.cleaned_data["code"])
        self.kind = second_factor.verify(self.user, code)
        if self.kind is None:
            actions.factor_refused(self.user, "code")
            raise forms.ValidationError(_("That code is wrong, or was used already."))
        return code

    def save(self) -> None:
        """Note in the session that the factor was shown."""
        record_authentication(
            context.request, self.user, method="mfa", type=self.kind, reauthenticated=self.is_again or None
        )


class CodeAgainForm(CodeForm):
    is_again = True


class PasskeyForm(AuthenticateWebAuthnForm):  # type: ignore[misc]
    """A passkey; wrong ones count as wrong codes do, in the same budget."""

    def clean_credential(self) -> Authenticator:
        """The passkey that answered. Raises TooMany."""
        subject = str(self.user.pk)
        second_factor.spend_try(self.user)
        try:
            found: Authenticator = super().clean_credential()
        except (forms.ValidationError, KeyError, TypeError, ValueError, AttributeError):
            # The library lets what is no passkey at all through to its parser, which raises as it likes.
            actions.factor_refused(self.user, "passkey")
            raise forms.ValidationError(_("That passkey did not fit.")) from None
        limits.give_back(limits.SECOND_FACTOR_GUESSES, subject)
        return found


class PasskeyAgainForm(PasskeyForm):
    reauthenticated = True
