"""How long a password must be: 15 characters where it stands alone, 8 beside a second factor. Nothing else is asked.

One that was set beside a second factor signs nobody in after that is given up, unless it has the fifteen.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.tenants.refusals import Forbidden

from . import second_factor
from .models import User

ALONE, BESIDE = 15, 8


class TooShortAlone(Forbidden):
    """Said only to whoever gave the right password: nobody else learns how long one is, or that the factor is gone."""

    code, title = "password_too_short", gettext_lazy("Your password is too short to stand alone")
    page: ClassVar[str] = "account/password_too_short.html"


def check_alone(user: User, password: str) -> None:
    """Raise TooShortAlone for a right password that has fewer than fifteen characters and no second factor beside it.

    Not in a demo: its people have the password that whoever started it chose.
    """
    if not settings.IS_DEMO and len(password) < ALONE and not second_factor.has_one(user):
        text = _(
            "You have no second factor, and without one a password has at least %(n)s characters. "
            "Yours has fewer: choose a longer one, by a link that we mail you."
        )
        raise TooShortAlone(text % {"n": ALONE}, reset=f"{settings.PUBLIC_URL}/account/password/reset/")


class LengthValidator:
    """Counts characters; which ones is up to the person (NIST SP 800-63B, section 3.1.1.2)."""

    def validate(self, password: str, user: Any = None) -> None:
        """Raise ValidationError for one that is too short for this person."""
        least = self._least(user)
        if len(password) < least:
            text = _("Use at least %(n)s characters; a few words in a row are easy to remember.")
            raise ValidationError(text % {"n": least}, code="password_too_short")

    def get_help_text(self) -> str:
        return _("At least %(n)s characters; a few words in a row are easy to remember.") % {"n": ALONE}

    def _least(self, user: Any) -> int:
        stored = user is not None and getattr(user, "pk", None) and not user._state.adding
        return BESIDE if stored and second_factor.is_set_up(user.pk) else ALONE
