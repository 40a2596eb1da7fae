"""What tells a person from strangers who guess at their password: an open session, or a browser or an address of theirs.

Strangers together have one budget for an account; who comes by one of these has their own (OWASP: "device cookies"), so
that no stranger uses it up. A browser is known by a cookie that it got at a full sign-in by password. It opens nothing,
names nobody to whoever reads it, and ends with the password. What a tenant's provider opens makes nobody known: whoever
runs it can come as anybody there, as often as they like.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

from allauth.core.internal.ratelimit import truncate_ip
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from apps.tenants import clock
from apps.tenants.context import NOBODY, tenant_context
from apps.tenants.derived import derived_keys

from .doors import is_api
from .limits import address_of
from .models import TokenFamily, User

PURPOSE = "known browsers"
MOST_PEOPLE = 5  # of one browser; who signed in there last comes first


def known_by(request: HttpRequest, account: str) -> str:
    """By what the person of this address is known here, as the subject of a budget; empty for a stranger."""
    if is_api(request.path_info):
        return _by_address(request, account)
    user = request.user
    if isinstance(user, User) and user.email.lower() == account:
        return f"session:{request.session.session_key}"
    return _by_browser(request, account)


def remember(response: HttpResponseBase, request: HttpRequest, user: User) -> None:
    """Let this browser be known as one of the person's from now on."""
    browser, marks = _shown(request)
    browser = browser if marks else secrets.token_urlsafe(16)
    kept = [_marks(browser, user)[0], *marks]
    response.set_cookie(
        settings.BROWSER_COOKIE_NAME,
        ".".join([browser, *dict.fromkeys(kept)][: 1 + MOST_PEOPLE]),
        max_age=settings.BROWSER_COOKIE_AGE,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def _by_browser(request: HttpRequest, account: str) -> str:
    browser, marks = _shown(request)
    if not marks:
        return ""
    user = _person(account)
    fits = [hmac.compare_digest(one.encode(), ours.encode()) for ours in _marks(browser, user) for one in marks]
    return f"browser:{browser}" if any(fits) else ""


def _by_address(request: HttpRequest, account: str) -> str:
    """Programs bring no cookie: theirs is an address at which a token of the person is alive."""
    user, address = _person(account), address_of(request)
    with tenant_context(NOBODY):
        alive = TokenFamily.objects.filter(user_id=user.pk, revoked_at=None, idle_expires_at__gt=clock.now())
        found = set(alive.exclude(address=None).values_list("address", flat=True))
    return f"address:{address}" if address in map(truncate_ip, found) else ""


def _person(account: str) -> User:
    """Whose address it is, or somebody who is nobody, so that both cost the same work."""
    with tenant_context(NOBODY):
        return User.objects.filter(email__iexact=account, is_service=False).first() or User()


def _shown(request: HttpRequest) -> tuple[str, list[str]]:
    """The browser's name and its marks of people, as its cookie has them."""
    browser, *marks = request.COOKIES.get(settings.BROWSER_COOKIE_NAME, "").split(".")
    return browser, marks[:MOST_PEOPLE]


def _marks(browser: str, user: User) -> list[str]:
    """What shows that the person of this password signed in there: by the newest key, and by each earlier one."""
    text = f"{browser}:{user.pk}:{user.password}".encode()
    return [hmac.new(key, text, hashlib.sha256).hexdigest() for key in derived_keys(PURPOSE)]
