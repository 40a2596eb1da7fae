"""How fresh a session in the browser is, and the way to the question "is it really you?" and back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from allauth.account.authentication import get_authentication_records
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse

from . import second_factor
from .models import User
from .sso import session as sso

TYPED = "orkestra_typed"
MOST_TYPED = 64 * 1024
NOT_KEPT = ("csrfmiddlewaretoken", "password", "secret", "code", "otp")
METHODS = {"password": "pwd", "sso": "fed"}
SECOND = {"totp": "otp", "recovery_codes": "kba", "webauthn": "hwk"}


def authentication_of(request: HttpRequest, user: User) -> tuple[datetime | None, tuple[str, ...]]:
    """When this session's person last proved who they are, and how (`amr` of RFC 8176).

    Where a second factor was shown, only showing one again renews the moment: the password alone does not.
    """
    records: list[dict[str, Any]] = get_authentication_records(request, user)
    second = [one for one in records if one.get("method") == "mfa"]
    counted = second or records
    if not counted:
        return None, ()
    names = [SECOND.get(str(one.get("type")), METHODS.get(str(one.get("method")), "")) for one in records]
    names += ["mfa" for one in records if sso.brings_factor(request, one)]
    moment = datetime.fromtimestamp(max(float(one["at"]) for one in counted), UTC)
    return moment, tuple(dict.fromkeys(name for name in names if name))


def ask_again(request: HttpRequest) -> HttpResponse:
    """Lead to the question, and afterwards back; what was typed is kept for that, never a password or a code."""
    target = request.get_full_path()
    if request.method == "POST":
        _keep(request)
        target = reverse("account_again")
    elif request.method not in {"GET", "HEAD"}:
        target = reverse("account_start")
    user: User = request.user  # type: ignore[assignment]
    opened = sso.opened_by(request, user)
    if opened is not None and not second_factor.has_one(user):
        place = reverse("account_sso_start", kwargs={"pk": opened.connection})
        return redirect(f"{place}?{urlencode({'again': 1, 'next': target})}")
    page = _page_of(user)
    return redirect(f"{reverse(page)}?{urlencode({'next': target})}")


def _page_of(user: User) -> str:
    if second_factor.has_app(user.pk):
        return "mfa_reauthenticate"
    return "mfa_reauthenticate_webauthn" if second_factor.has_one(user) else "account_reauthenticate"


def again(request: HttpRequest) -> HttpResponse:
    """What was typed before the question, ready to be sent by one press; without it, the start."""
    typed = request.session.pop(TYPED, None)
    if not typed:
        return redirect("account_start")
    fields = [(name, value) for name, values in QueryDict(typed["body"]).lists() for value in values]
    return render(request, "account/again.html", {"path": typed["path"], "fields": fields})


def _keep(request: HttpRequest) -> None:
    kept = request.POST.copy()
    for name in list(kept):
        if any(word in name.lower() for word in NOT_KEPT):
            del kept[name]
    body = kept.urlencode()
    if len(body) <= MOST_TYPED:
        request.session[TYPED] = {"path": request.get_full_path(), "body": body}
