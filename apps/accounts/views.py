"""Where a person lands after sign-in, and the pages for errors."""

from __future__ import annotations

import sys
from typing import Any, cast
from urllib.parse import urlencode

import structlog
from allauth.account import views as allauth_views
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.db import InterfaceError, OperationalError, transaction
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from redis.exceptions import RedisError

from apps.tenants.pages import refusal_on
from apps.tenants.refusals import Forbidden, NotFound, Problem, TooLarge, Unavailable

from . import actions, limits, support
from .answers import problem_answer
from .inputs import JoinInput
from .limits import TooMany
from .models import User
from .people import may_begin_another, memberships_of
from .sso.session import limit

TRY_AGAIN_SECONDS = 60
log = structlog.get_logger(__name__)


def start(request: HttpRequest) -> HttpResponse:
    """Into the only tenant, else let the person choose; a Super Admin without one goes to the admin."""
    found = memberships_of(request)
    is_admin = getattr(request.user, "is_platform_admin", False)
    if len(found) == 1 and not is_admin:
        return redirect(f"/t/{found[0].tenant.slug}/")
    if not found and is_admin:
        return redirect("/admin/")
    return render(
        request, "account/start.html", {"memberships": found, "may_begin_another": may_begin_another(request)}
    )


class SignInView(allauth_views.LoginView):  # type: ignore[misc]
    """allauth's sign-in, with the way to sign up where that is open."""

    def get_context_data(self, **more: Any) -> dict[str, Any]:
        return {**super().get_context_data(**more), "sign_up_is_open": settings.SIGN_UP_IS_OPEN}


def invitation(request: HttpRequest, word: str) -> HttpResponse:
    """What an invitation offers; POST accepts it. A mail scanner's GET changes nothing."""
    try:
        invited = actions.look_at(word)
    except NotFound:
        return render(request, "account/invitation_gone.html", status=404)
    user = request.user if isinstance(request.user, User) else None
    if user is not None and limit(request, user) is not None:
        user = None  # a provider of one tenant says nothing about who joins another
    sent = request.POST if request.method == "POST" else None
    asked = Form(sent) if invited.is_known else JoinInput(sent)
    if request.method == "POST" and asked.is_valid() and (user or not invited.is_known):
        with refusal_on(asked):
            actions.accept(word, user=user, **asked.cleaned_data)
            return redirect("account_start")
    context = {"invited": invited, "input": asked, "person": user, "next": request.path}
    return render(request, "account/invitation.html", context, status=422 if asked.errors else 200)


def reset_password(request: HttpRequest) -> HttpResponse:
    """Ask for a reset link. Counted by what was typed, whether such an account exists or not. Raises TooMany."""
    if request.method == "POST":
        email = request.POST.get("email", "").strip().lower()[:254]
        limits.spend(limits.RESETS_FOR_ACCOUNT, email, account=email)
    answer: HttpResponse = allauth_views.password_reset(request)
    return answer


def new_password(request: HttpRequest, uidb36: str, key: str) -> HttpResponse:
    """The page behind a reset link; of several who use one link at one moment, one sets the password."""
    if request.method != "POST":
        return cast(HttpResponse, allauth_views.password_reset_from_key(request, uidb36=uidb36, key=key))
    with transaction.atomic():
        actions.lock_for_reset(uidb36)
        return cast(HttpResponse, allauth_views.password_reset_from_key(request, uidb36=uidb36, key=key))


def leave_support(request: HttpRequest) -> HttpResponse:
    """POST ends a support visit."""
    support.close_session_visit(request, cast(User, request.user))
    return redirect("/admin/")


def admin_login(request: HttpRequest) -> HttpResponse:
    """The admin has no door of its own: everybody signs in at the same one."""
    return redirect("/account/login/?" + urlencode({"next": request.GET.get("next", "/admin/")}))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The form's token is missing or old."""
    return problem_answer(request, Forbidden("This page was open for too long. Go back, reload it and send it again."))


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if isinstance(exception, RequestDataTooBig):
        return problem_answer(request, TooLarge())
    problem = Problem("The request could not be read.", code="bad_request")
    problem.status = 400
    return problem_answer(request, problem)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return problem_answer(request, Forbidden())


def too_many(request: HttpRequest) -> HttpResponse:
    """What allauth's own limits answer."""
    return problem_answer(request, TooMany(TRY_AGAIN_SECONDS))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return problem_answer(request, NotFound())


def server_error(request: HttpRequest) -> HttpResponse:
    """The last resort: 503 when a part that we need is away, else 500; the traceback stays in our log."""
    error: Any = sys.exc_info()[1]
    if isinstance(error, Problem):
        return problem_answer(request, error)
    if isinstance(error, OperationalError | InterfaceError | RedisError):
        log.error("dependency_down", error=type(error).__name__)
        return problem_answer(request, Unavailable())
    return problem_answer(request, Problem())
