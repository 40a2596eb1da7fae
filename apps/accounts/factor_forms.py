"""The forms in which a code is typed, at sign-in and when it is asked whether it is really them."""

from __future__ import annotations

from typing import Any, ClassVar

from allauth.account.internal.flows.login import record_authentication
from allauth.core import context
from django import forms
from django.utils.translation import gettext_lazy as _

from . import second_factor
from .limits import TooMany


class CodeForm(forms.Form):
    """A code of the app, or a recovery code; each is good once."""

    is_again: ClassVar[bool] = False
    code = forms.CharField(label=_("Code"), max_length=40)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.user = kwargs.pop("user")
        super().__init__(*args, **kwargs)

    def clean_code(self) -> str:
        code = str(self.cleaned_data["code"])
        try:
            self.kind = second_factor.verify(self.user, code)
        except TooMany as refused:
            raise forms.ValidationError(str(refused.detail)) from None
        if self.kind is None:
            raise forms.ValidationError(_("That code is wrong, or was used already."))
        return code

    def save(self) -> None:
        """Note in the session that the factor was shown."""
        record_authentication(
            context.request, self.user, method="mfa", type=self.kind, reauthenticated=self.is_again or None
        )


class CodeAgainForm(CodeForm):
    is_again = True
