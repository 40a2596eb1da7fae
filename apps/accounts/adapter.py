"""allauth, bent to our house: no accounts of its making, mail through the outbox, and every act in the log."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.auth_backends import AuthenticationBackend
from allauth.account.authentication import AUTHENTICATION_METHODS_SESSION_KEY, get_authentication_records
from allauth.account.internal.flows.login import record_authentication
from allauth.account.internal.stagekit import clear_login
from allauth.account.signals import password_changed, password_reset
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authenticator_added, authenticator_removed
from django.contrib.auth import authenticate
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db import transaction
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.crypto import constant_time_compare

from . import actions, limits, passwords, second_factor, sessions
from .answers import problem_answer
from .factor_views import show_next
from .known import known_by, remember
from .models import User
from .people import memberships
from .sso import demands
from .sso import session as sso
from .step_up import authentication_of

RESTS_ON = "orkestra_rests_on"  # the password that a sign-in began with, as the session's own hash of it


class AccountAdapter(DefaultAccountAdapter):
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Signing up is ours (`actions.sign_up`), and proves the address first."""
        return False

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Count a try before the password is looked at. Raises TooMany."""
        account = str(credentials.get("email") or credentials.get("username") or "").strip().lower()
        address, known = limits.address_of(request), known_by(request, account)
        self._tries = [
            (limits.GUESSES_AT_ACCOUNT_FROM_ADDRESS, f"{account}:{address}"),
            (limits.GUESSES_OF_KNOWN, f"{account}:{known}") if known else (limits.GUESSES_AT_ACCOUNT, account),
            (limits.GUESSES_FROM_ADDRESS, address),
        ]
        for limit, subject in self._tries:
            limits.spend(limit, subject, account=account)

    def authenticate(self, request: HttpRequest, **credentials: Any) -> User | None:
        """Whose password it is, at every door that takes one; who is switched off is answered as for a wrong password.

        allauth's own would lead them to a page that says so. Raises TooMany; TooShortAlone after a right password.
        """
        self.pre_authenticate(request, **credentials)
        user: User | None = authenticate(request, **credentials)
        AuthenticationBackend.unstash_authenticated_user()
        if user is not None:
            self._rollback_login_failed_rl_usage()
            passwords.check_alone(user, str(credentials["password"]))
        return user

    def _rollback_login_failed_rl_usage(self) -> None:
        """The password was right: these tries were no guesses."""
        for limit, subject in getattr(self, "_tries", []):
            limits.give_back(limit, subject)

    def _delete_login_attempts_cached_email(self, request: HttpRequest, **credentials: Any) -> None:
        """After a reset by mail allauth lets the account try again at once; here the window simply runs out."""

    def pre_login(self, request: HttpRequest, user: User, **kwargs: Any) -> HttpResponse | None:
        """A right password signs nobody in whose organisations all come by their providers."""
        try:
            if not user.is_platform_admin:
                demands.refuse_password(memberships(user.pk))
        except demands.ProviderNeeded as needed:
            clear_login(request)
            return problem_answer(request, needed)
        request.session[RESTS_ON] = user.get_session_auth_hash()
        answer: HttpResponse | None = super().pre_login(request, user, **kwargs)
        return answer

    def login(self, request: HttpRequest, user: User) -> None:
        """Sign in, where the password that was given is still the person's: the code after it takes its time."""
        began = request.session.pop(RESTS_ON, None)
        if began is not None and not constant_time_compare(began, user.get_session_auth_hash()):
            clear_login(request)
            raise ImmediateHttpResponse(redirect("account_login"))
        super().login(request, user)

    def post_login(self, request: HttpRequest, user: User, **kwargs: Any) -> HttpResponse:
        """In, with the second factor where there is one: a browser in which the password was typed is theirs from now on."""
        answer: HttpResponse = super().post_login(request, user, **kwargs)
        if sso.limit(request, user) is None:
            remember(answer, request, user)
        return answer

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Nothing: what we mail goes through the outbox, promised by `actions`."""


@receiver(user_logged_in, dispatch_uid="accounts.signed_in")
def record_sign_in(sender: Any, request: HttpRequest, user: User, **kwargs: Any) -> None:
    sessions.opened(request)
    _moment, amr = authentication_of(request, user)
    actions.signed_in(user, amr=" ".join(amr) or "pwd", only=sso.limit(request, user))


@receiver([password_changed, password_reset], dispatch_uid="accounts.password_changed")
def record_password(sender: Any, request: HttpRequest, user: User, **kwargs: Any) -> None:
    """However it was changed: what the old password opened ends, but for the browser that changed it."""
    actions.password_changed(user, but=request.session.session_key or "")


@receiver(user_logged_out, dispatch_uid="accounts.signed_out")
def record_sign_out(sender: Any, request: HttpRequest, user: User | None, **kwargs: Any) -> None:
    if user is not None:
        actions.signed_out(user, only=sso.limit(request, user))


@receiver(user_login_failed, dispatch_uid="accounts.refused")
def record_refusal(sender: Any, credentials: dict[str, Any], **kwargs: Any) -> None:
    """Django tells of each refused password, whichever door it came through."""
    actions.sign_in_refused(str(credentials.get("email") or credentials.get("username") or ""))


@receiver(authenticator_added, dispatch_uid="accounts.factor_added")
def record_factor(sender: Any, request: HttpRequest, user: User, authenticator: Authenticator, **kwargs: Any) -> None:
    """Enrolling has shown it; the first factor brings recovery codes, which the next page shows once."""
    second_factor.note_enrolment(authenticator)
    record_authentication(request, user, method="mfa", type=str(authenticator.type), reauthenticated=True)
    with transaction.atomic():
        actions.factor_changed(user, "factor.added", {"kind": str(authenticator.type)})
        actions.tell_factor_added(user, str(authenticator.type), row=authenticator.pk)
    if not second_factor.codes_left(user):
        show_next(request, second_factor.new_codes(user))


@receiver(authenticator_removed, dispatch_uid="accounts.factor_removed")
def record_factor_gone(
    sender: Any, request: HttpRequest, user: User, authenticator: Authenticator, **kwargs: Any
) -> None:
    """With the last factor go recovery codes, what it had opened, and its word in this session."""
    # Its row is gone and has no number any more; the moment it was made tells it from others.
    row, here = f"{user.pk}:{authenticator.created_at.timestamp()}", request.session.session_key or ""
    with transaction.atomic():
        if actions.factor_gone(user, str(authenticator.type), row=row, but=here):
            second_factor.end_codes(user)
            _forget_factor(request, user)


def _forget_factor(request: HttpRequest, user: User) -> None:
    """This session rests on the password again, and is confirmed by it."""
    records = get_authentication_records(request, user)
    request.session[AUTHENTICATION_METHODS_SESSION_KEY] = [one for one in records if one.get("method") != "mfa"]
