"""Step-up: what is dangerous asks whether it is really this person, now."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any, TypeVar, cast

from django.utils.translation import gettext_lazy as _

from . import clock
from .context import current
from .refusals import Forbidden, Problem
from .slots import slots

FRESH_FOR = timedelta(minutes=5)
FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


class NotFresh(Problem):
    """RFC 9470: sign in again. The API answers 401 with a challenge, a page leads to the question and back."""

    status, code = 401, "insufficient_user_authentication"
    title = _("Confirm that it is you")

    def __init__(self) -> None:
        super().__init__(_("This needs a sign-in that is not older than five minutes, with your second factor."))
        self.extra = {"max_age": int(FRESH_FOR.total_seconds())}

    @property
    def challenge(self) -> str:
        """The WWW-Authenticate value of RFC 9470, section 3."""
        return f'Bearer realm="orkestra", error="{self.code}", max_age="{self.extra["max_age"]}"'


def require_fresh() -> None:
    """Pass a person who signed in within five minutes, with their second factor where they have one.

    Raises NotFresh for anybody else, Forbidden for a key that no person stands behind now. Call it before the act.
    """
    acting = current()
    if acting.credential == "system":
        return
    if acting.credential == "api_key":
        raise Forbidden(_("An API key cannot do this; a person must."), code="person_needed")
    recent = acting.auth_time is not None and clock.now() - acting.auth_time <= FRESH_FOR
    if not recent or acting.user is None:
        raise NotFresh()
    if len(acting.amr) < 2 and slots.has_second_factor(acting.user):
        raise NotFresh()


def fresh(function: FunctionT) -> FunctionT:
    """Decorate a view or a viewset's method: it runs only for a fresh sign-in."""

    @wraps(function)
    def checked(*args: Any, **kwargs: Any) -> Any:
        require_fresh()
        return function(*args, **kwargs)

    return cast(FunctionT, checked)
