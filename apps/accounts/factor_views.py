"""The pages of recovery codes: shown once when they are made, and after that only counted."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from . import actions, second_factor
from .models import User

MADE = "orkestra_recovery_codes"


def recovery_codes(request: HttpRequest) -> HttpResponse:
    """The codes that were just made, once; else how many are left."""
    user: User = request.user  # type: ignore[assignment]
    if not second_factor.has_one(user):
        return redirect("mfa_index")
    context = {"codes": request.session.pop(MADE, []), "left": second_factor.codes_left(user)}
    return render(request, "mfa/recovery_codes/index.html", context)


def new_recovery_codes(request: HttpRequest) -> HttpResponse:
    """POST makes ten new ones; the old ones end at once."""
    user: User = request.user  # type: ignore[assignment]
    if not second_factor.has_one(user):
        return redirect("mfa_index")
    if request.method != "POST":
        return render(request, "mfa/recovery_codes/generate.html")
    request.session[MADE] = second_factor.new_codes(user)
    actions.factor_changed(user, "factor.codes_made")
    return redirect("mfa_view_recovery_codes")
