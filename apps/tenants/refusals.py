"""What Orkestra says when it does not do what was asked: one family of errors for pages and API.

The API sends them as problem details (RFC 9457); pages show them where the person is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

type_base = "urn:orkestra:problem:"
Text = str | Promise
Errors = Mapping[str, Sequence[Text]]


class Problem(Exception):
    """Something that stops a request, with the status it means and words for the person who asked."""

    status = 500
    code = "error"
    title: Text = _("Something went wrong on our side")
    retry_after_seconds: int | None = None

    def __init__(self, detail: Text = "", *, code: str = "", **extra: Any) -> None:
        super().__init__(str(detail) if detail else str(self.title))
        self.detail = detail or self.title
        self.code = code or self.code
        self.extra = extra

    def document(self, request_id: str = "") -> dict[str, Any]:
        """The problem details of RFC 9457, section 3, with our `code` and the request's id."""
        return {
            "type": f"{type_base}{self.code}",
            "title": str(self.title),
            "status": self.status,
            "detail": str(self.detail),
            "code": self.code,
            **self.extra,
            "request_id": request_id,
        }


class NotSignedIn(Problem):
    status, code, title = 401, "not_signed_in", _("Please sign in")


class Forbidden(Problem):
    status, code, title = 403, "forbidden", _("You may not do this")


class NotFound(Problem):
    status, code, title = 404, "not_found", _("There is nothing here")


class Conflict(Problem):
    status, code, title = 409, "conflict", _("This has changed meanwhile")


class TooLarge(Problem):
    status, code, title = 413, "too_large", _("This is too large")


class Refused(Problem):
    """A rule says no, in the user's words; `field` names the input it concerns."""

    status, code, title = 422, "refused", _("This cannot be done")

    def __init__(self, detail: Text = "", *, code: str = "", field: str = "", **extra: Any) -> None:
        super().__init__(detail, code=code, **extra)
        self.field = field


class Invalid(Problem):
    """What was sent does not hold; `errors` maps the place to what is wrong there."""

    status, code, title = 422, "invalid", _("Some answers need another look")

    def __init__(self, errors: Errors, detail: Text = "") -> None:
        super().__init__(detail or "; ".join(f"{place}: {text}" for place, text in flatten(errors)) or self.title)
        self.errors: dict[str, list[Text]] = {place: list(texts) for place, texts in errors.items()}

    def document(self, request_id: str = "") -> dict[str, Any]:
        body = super().document(request_id)
        body["errors"] = [{"field": place, "message": str(text)} for place, text in flatten(self.errors)]
        return body


class PaymentRequired(Problem):
    """Over a quota, after a trial, or beyond a budget."""

    status, code, title = 402, "payment_required", _("The plan does not cover this")


class Unavailable(Problem):
    status, code, title = 503, "unavailable", _("A part that we need is not answering")

    def __init__(self, detail: Text = "", *, retry_after_seconds: int = 5, **extra: Any) -> None:
        super().__init__(detail, **extra)
        self.retry_after_seconds = retry_after_seconds


def flatten(errors: Errors) -> Iterator[tuple[str, Text]]:
    """One (place, text) a message."""
    for place, texts in errors.items():
        for text in texts:
            yield place, text
