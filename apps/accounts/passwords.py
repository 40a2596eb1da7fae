"""How long a password must be: 15 characters where it stands alone, 8 beside a second factor. Nothing else is asked."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from . import second_factor

ALONE, BESIDE = 15, 8


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
