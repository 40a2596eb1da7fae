"""The gateway: the one place where a request gets its identity, before any view runs.

credential -> person -> membership -> TenantContext. A present Authorization header never falls back to the session, and
the API never reads the session at all.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from apps.tenants.caller import Caller, called_by
from apps.tenants.context import TenantContext, current, tenant_context
from apps.tenants.freshness import SHOWN, NotFresh, require_fresh
from apps.tenants.refusals import Forbidden, NotFound, NotSignedIn, Problem, TooLarge
from apps.tenants.security_events import Kind, security_event_now_and_then
from apps.tenants.slots import slots

from . import actions, key_format, limits, second_factor, sessions, step_up, support, tokens
from .answers import problem_answer
from .devices import device_of
from .doors import CLOSED, TENANT_PATH, Door, Rule, is_api, rule_of
from .membership import membership
from .models import Member, SupportVisit, User
from .revocation import refuse_revoked
from .sso import demands
from .sso import session as sso

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
ADMIN_POLICY = {"script-src": ["'self'"], "require-trusted-types-for": None, "trusted-types": None}


class Gateway:
    """Middleware. What it cannot place it refuses: 401, 404 or 405, never through."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        device = device_of(request)
        with called_by(Caller(device.address or "", device.agent)):
            return self._answer(request)

    def _answer(self, request: HttpRequest) -> HttpResponse:
        try:
            context = identify(request)
        except NotSignedIn as problem:
            if is_api(request.path_info) or request.method not in SAFE:
                return problem_answer(request, problem)
            return redirect_to_login(request.get_full_path())
        except Problem as problem:
            return problem_answer(request, problem)
        request.context = context  # type: ignore[attr-defined]
        with tenant_context(context):
            try:
                ask_again_where_dangerous(request)
                for gate in slots.gates:
                    gate.run(request, context)
            except NotFresh:
                return step_up.ask_again(request)
            except Problem as problem:
                return problem_answer(request, problem)
            response = self.get_response(request)
            if response.status_code == 405 and not response.content and not is_api(request.path_info):
                # Django's own has no word for whoever looks.
                allowed = [name.strip() for name in response["Allow"].split(",")]
                response = problem_answer(request, MethodNotAllowed(allowed=allowed))
        if request.path_info.startswith("/admin/"):
            response._csp_replace = ADMIN_POLICY  # type: ignore[attr-defined]
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """A Problem that a page raised, in the page's own look; anything else goes on to the last resort."""
        if isinstance(error, NotFresh) and not is_api(request.path_info):
            return step_up.ask_again(request)
        return problem_answer(request, error) if isinstance(error, Problem) else None


def ask_again_where_dangerous(request: HttpRequest) -> None:
    """Pages of a library's own that belong to a dangerous act ask by their door. Raises NotFresh."""
    rule = rule_of(request.path_info)
    if rule is not None and rule.fresh:
        require_fresh(rule.fresh)


def identify(request: HttpRequest) -> TenantContext:
    """The context of a request. Raises NotSignedIn, Forbidden or NotFound."""
    rule = rule_of(request.path_info)
    if rule is None or rule.door in CLOSED[settings.SURFACE]:
        raise NotFound()
    _check_method(request, rule)
    _check_size(request, rule)
    if rule.door is Door.PUBLIC:
        limits.spend_at_door(request)
        return current()
    if rule.door is Door.VISITOR_API and "Authorization" not in request.headers:
        return current()
    if is_api(request.path_info):
        return _by_token(request, rule.door)
    return _by_session(request, rule.door)


def _check_method(request: HttpRequest, rule: Rule) -> None:
    if rule.methods and request.method not in rule.methods:
        raise MethodNotAllowed(allowed=sorted(rule.methods))
    site = request.headers.get("Sec-Fetch-Site", "")
    if site in {"cross-site", "same-site"} and request.method not in SAFE and not is_api(request.path_info):
        raise Forbidden("Another site sent this request.")


def _check_size(request: HttpRequest, rule: Rule) -> None:
    """Refuse before a byte is read; what lies below has limits of its own for each file and for the rest."""
    length = str(request.META.get("CONTENT_LENGTH") or "0")
    most = rule.most_bytes or settings.REQUEST_MAX_BYTES
    if not length.isdigit() or int(length) > most:
        raise TooLarge(_("At most %(n)s KB can be sent at once.") % {"n": most // 1024})


class MethodNotAllowed(Problem):
    status, code, title = 405, "method_not_allowed", "This address does not take that method"


def _by_session(request: HttpRequest, door: Door) -> TenantContext:
    user: User | AnonymousUser = request.user  # type: ignore[assignment]
    if not isinstance(user, User) or not user.is_active or user.is_service:
        raise NotSignedIn()
    sessions.touch(request)
    auth_time, amr = step_up.authentication_of(request, user)
    person = TenantContext(
        user=user.pk, credential="session", request_id=current().request_id, auth_time=auth_time, amr=amr
    )
    found = TENANT_PATH.match(request.path_info) if door is Door.TENANT_PAGE else None
    if found is not None:
        visit = support.visit_of(request, user)
        if visit is not None and visit.tenant.slug == found["slug"]:
            sso.refuse_beyond(request, user, None)
            return _as_visitor(request, visit, person)
        if settings.SURFACE == "platform":
            raise NotFound()
        return _as_member(request, person, slug=found["slug"])
    sso.refuse_beyond(request, user, None)
    if door is Door.PERSON_PAGE:
        return person
    if door is Door.PLATFORM_PAGE:
        return _platform(user, person)
    raise NotFound()


def _by_token(request: HttpRequest, door: Door) -> TenantContext:
    token = tokens.bearer(request.headers.get("Authorization", ""))
    if token.startswith(key_format.PREFIX):
        return _by_key(request, token, door)
    claims = tokens.read_access(token)
    refuse_revoked(claims)
    person = TenantContext(
        user=claims.user,
        credential="jwt",
        request_id=current().request_id,
        auth_time=claims.auth_time,
        amr=claims.amr,
    )
    request.claims = claims  # type: ignore[attr-defined]
    if door is Door.PLATFORM_API and claims.scope != tokens.PLATFORM:
        _escalation(claims.user, "no_platform_token")
        raise NotFound()
    if claims.tenant is not None:
        return _as_member(request, person, pk=claims.tenant)
    user = User.objects.filter(pk=claims.user, is_active=True, is_service=False).first()
    if user is None:
        raise NotSignedIn()
    request.user = user
    if door in {Door.PERSON_API, Door.VISITOR_API}:
        return person
    if door is Door.PLATFORM_API:
        return _platform(user, person)
    raise NotSignedIn("This token opens no tenant; switch to one first.", code="no_tenant")


def _by_key(request: HttpRequest, text: str, door: Door) -> TenantContext:
    """An API key opens one tenant, as its member and within its scopes."""
    if door is Door.PLATFORM_API:
        raise NotFound()
    address = limits.address_of(request)
    try:
        key = actions.find_api_key(text)
    except NotSignedIn:
        limits.spend(limits.BAD_KEYS_FROM_ADDRESS, address)
        raise
    person = TenantContext(
        user=key.user, credential="api_key", request_id=current().request_id, scopes=key.scopes, amr=("key",)
    )
    found = _as_member(request, person, pk=key.tenant)
    with tenant_context(found):
        actions.note_use(key.id, before=key.last_used_at, address=address)
    return found


def _platform(user: User, person: TenantContext) -> TenantContext:
    if not user.is_platform_admin:
        _escalation(user.pk, "no_super_admin")
        raise NotFound()
    if not settings.IS_DEMO and not second_factor.has_one(user):
        _escalation(user.pk, "no_second_factor")
        raise Forbidden("Super Admins need a second factor: set one up at /account/2fa/ first.", code="second_factor")
    if not settings.IS_DEMO and not SHOWN & set(person.amr):
        _escalation(user.pk, "second_factor_not_shown")
        raise demands.FactorNeeded(
            _("This sign-in was made without your second factor."), has_factor=True, by_provider=False
        )
    return TenantContext(
        user=user.pk,
        platform=True,
        credential=person.credential,
        request_id=person.request_id,
        auth_time=person.auth_time,
        amr=person.amr,
        permissions=frozenset({"platform.read"}),
    )


def _escalation(user: UUID, reason: str) -> None:
    """Somebody who is signed in asked for what is the platform's."""
    about = f"{user}:{reason}"
    security_event_now_and_then(Kind.ESCALATION_DENIED, about=about, wanted="platform", reason=reason, by=str(user))


def _as_visitor(request: HttpRequest, visit: SupportVisit, person: TenantContext) -> TenantContext:
    """A Super Admin on a support visit; what opens the admin opens this too."""
    _platform(request.user, person)  # type: ignore[arg-type]
    request.member, request.tenant, request.support_visit = visit.member, visit.tenant, visit  # type: ignore[attr-defined]
    return support.context_of(visit, person)


def _as_member(request: HttpRequest, person: TenantContext, *, pk: UUID | None = None, slug: str = "") -> TenantContext:
    """Bind the person, look up their membership, and take its tenant; none means that nothing is there."""
    with tenant_context(person):
        user = UUID(str(person.user))
        member = (
            membership(user, pk) if pk is not None else Member.memberships.of(user).filter(tenant__slug=slug).first()
        )
    if member is None:
        raise NotFound() if person.credential == "session" else NotSignedIn()
    if member.is_service and person.credential != "api_key":
        raise NotSignedIn()
    limited_to = None
    if person.credential == "session":
        sso.refuse_beyond(request, member.user, member.tenant_id)
        limited_to = sso.limit(request, member.user)
    if person.credential == "api_key":
        demands.check_key(member)
    else:
        demands.check(member, amr=person.amr, limited_to=limited_to)
    request.member, request.tenant, request.user = member, member.tenant, member.user  # type: ignore[attr-defined]
    return TenantContext(
        tenant=member.tenant_id,
        user=person.user,
        member=member.pk,
        permissions=member.permissions,
        scopes=person.scopes,
        auth_time=person.auth_time,
        amr=person.amr,
        credential=person.credential,
        request_id=person.request_id,
        is_service=member.is_service,
    )
