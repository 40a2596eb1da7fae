"""Guards of the doors taken out, one at a time: a mutant runs the cells of its own route, and one of them must turn red.

The table (`apps/accounts/doors.py`): each rule opened to anyone, weakened to the next weaker door, dropped, and freed of
its methods and its size. The gateway: each of its checks replaced by one that lets through. What a cell expects is taken
from the table as it is, before anything is taken out.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.test import Client, override_settings
from django.urls import get_resolver

from apps.accounts import doors, gateway
from apps.accounts.doors import API_DOORS, RULES, Door, Rule, is_api
from apps.accounts.models import Member, RevokedKind, User
from apps.accounts.revocation import revoke
from apps.accounts.tokens import issue_access
from apps.tenants import clock, freshness
from apps.tenants.context import TenantContext, as_system
from apps.tenants.ids import new_id
from tests.cast import DemoCast
from tests.clients import browser
from tests.routes import example, walk

EVERY_METHOD = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
WEAKER = {
    Door.TENANT_PAGE: Door.PERSON_PAGE,
    Door.TENANT_API: Door.PERSON_API,
    Door.PLATFORM_PAGE: Door.PERSON_PAGE,
    Door.PLATFORM_API: Door.PERSON_API,
}
LOGIN = "/account/login/"
SIGNED_IN_SECONDS = 120


@dataclass(frozen=True)
class People:
    """Who knocks: an owner of the demo's acme, its rival, and a Super Admin, each at both doors."""

    owner: Member
    rival: Member
    admin: User

    @classmethod
    def of(cls, demo: DemoCast) -> People:
        return cls(demo.acme("owner"), demo.globex("owner"), User.objects.get(email="admin@orkestra.example"))


@dataclass(frozen=True)
class Cell:
    """One request and whether its answer is the declared one."""

    name: str
    is_as_declared: Callable[[], bool]


@dataclass(frozen=True)
class Mutant:
    """One guard that is taken out while the block runs."""

    kind: str
    name: str
    taken_out: Callable[[], Any]
    cells: Callable[[People], Iterator[Cell]]

    def __str__(self) -> str:
        return f"{self.name}: {self.kind}"


def examples() -> dict[Rule, list[str]]:
    """The addresses of each rule, from the URL resolver; a rule that covers no route of ours is not there."""
    found: dict[Rule, list[str]] = {}
    for path in sorted({example(route) for route in walk(get_resolver())}):
        rule = doors.rule_of(path)
        if rule is not None:
            found.setdefault(rule, []).append(path)
    return found


IN_THE_TABLE = "stands in the table"
# Guards behind which another gives the same answer, so that no request can tell them apart.
BEHIND = {
    r"/account/2fa/((reauthenticate|webauthn|webauthn/reauthenticate)/)?\Z: opened to anyone": "allauth asks for a sign-in too",
}


def killed_by(mutant: Mutant, people: People) -> str:
    """The first cell that turns red; empty where the mutant lives. What no request shows ends with IN_THE_TABLE.

    The reason of BEHIND where everything is refused still, since another guard stands behind.
    """
    with mutant.taken_out():
        red = next((cell.name for cell in mutant.cells(people) if not cell.is_as_declared()), "")
    return red or BEHIND.get(str(mutant), "")


def red_without_mutants(people: People, most: int | None = None) -> tuple[int, list[str]]:
    """How many cells there are, and those that are red while nothing is taken out; `most` addresses of each rule."""
    every = [cell for rule, paths in examples().items() for path in paths[:most] for cell in _of(rule, path, people)]
    every += [cell for _kind, _name, _stone, cells in _checks() for cell in cells(people)]
    return len(every), [cell.name for cell in every if not cell.is_as_declared()]


def all_mutants() -> list[Mutant]:
    """Every mutant there is, in the order of the table."""
    found = [
        Mutant(kind, rule.pattern.pattern, _swapped(rule, changed), _cells_of(rule, paths))
        for rule, paths in examples().items()
        for kind, changed in _changes(rule)
    ]
    return [*found, *(Mutant(kind, name, stone, cells) for kind, name, stone, cells in _checks())]


def _changes(rule: Rule) -> Iterator[tuple[str, Rule | None]]:
    if rule.door is not Door.PUBLIC:
        yield "opened to anyone", replace(rule, door=Door.PUBLIC)
    if rule.door in WEAKER:
        yield "opened to any person", replace(rule, door=WEAKER[rule.door])
    yield "dropped", None
    if rule.methods:
        yield "open to every method", replace(rule, methods=EVERY_METHOD)
    if rule.most_bytes:
        yield "open to every size", replace(rule, most_bytes=10**12)


def _swapped(rule: Rule, changed: Rule | None) -> Callable[[], Any]:
    table = tuple(changed if one is rule else one for one in RULES if one is not rule or changed is not None)
    return lambda: _patched(doors, "RULES", table)


def _cells_of(rule: Rule, paths: list[str]) -> Callable[[People], Iterator[Cell]]:
    return lambda people: (cell for path in paths for cell in _of(rule, path, people))


@contextmanager
def _patched(module: Any, name: str, value: Any) -> Iterator[None]:
    before = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, before)


def _of(rule: Rule, path: str, people: People) -> Iterator[Cell]:
    """What the table says of one address, tried at the door; last, where nothing can be seen there, in the table itself."""
    method = "GET" if not rule.methods or "GET" in rule.methods else min(rule.methods)
    yield from _refusals(rule, path, method, people)
    if rule.methods:
        other = min(EVERY_METHOD - rule.methods - {"OPTIONS", "HEAD"})
        allowed = ", ".join(sorted(rule.methods))
        yield Cell(f"{other} {path} is not taken", lambda: _is_not_taken(_ask(None, other, path), path, allowed))
    if rule.most_bytes:
        size = rule.most_bytes + 1
        yield Cell(f"{path} takes no {size} bytes", lambda: _ask(None, "POST", path, size=size).status_code == 413)
    yield Cell(f"{path} {IN_THE_TABLE}", lambda: _pattern(path) == rule.pattern.pattern)


def _refusals(rule: Rule, path: str, method: str, people: People) -> Iterator[Cell]:
    door, name = rule.door, f"{method} {path}"
    if door in API_DOORS:
        yield Cell(f"{name} by nobody", lambda: _is_problem(_ask(None, method, path), 401))
    elif door is Door.VISITOR_API:
        yield Cell(f"{name} with a false token", lambda: _ask("nonsense", method, path).status_code == 401)
    elif door is not Door.PUBLIC:
        yield Cell(f"{name} by nobody", lambda: _asks_to_sign_in(_ask(None, method, path), method))
    if door is Door.TENANT_PAGE:
        yield Cell(f"{name} by a rival", lambda: _ask(people.rival, method, path).status_code == 404)
        yield Cell(f"{name} by a Super Admin", lambda: _ask(people.admin, method, path).status_code == 404)
    elif door is Door.PLATFORM_PAGE:
        yield Cell(f"{name} by an owner", lambda: _ask(people.owner, method, path).status_code == 404)
    elif door is Door.TENANT_API:
        yield Cell(f"{name} without a tenant", lambda: _is_problem(_ask(_token(people.owner, None), method, path), 401))
    elif door is Door.PLATFORM_API:
        own = people.owner.tenant_id
        yield Cell(f"{name} by an owner", lambda: _is_problem(_ask(_token(people.owner, own), method, path), 404))


def _checks() -> Iterator[tuple[str, str, Callable[[], Any], Callable[[People], Iterator[Cell]]]]:
    """The gateway's own checks: how each is taken out, and the cells that it must turn red."""
    gate, out = "gateway", "taken out"
    yield out, f"{gate}: membership", lambda: _patched(gateway, "_as_member", _as_anybody), _membership
    yield out, f"{gate}: methods and other sites", lambda: _patched(gateway, "_check_method", _nothing), _other_site
    yield out, f"{gate}: sizes", lambda: _patched(gateway, "_check_size", _nothing), _too_large
    yield out, f"{gate}: what was revoked", lambda: _patched(gateway, "refuse_revoked", _nothing), _revoked
    yield out, f"{gate}: Super Admins alone", lambda: _patched(gateway, "_platform", _anybodys_platform), _platform
    yield out, f"{gate}: surfaces", lambda: _patched(gateway, "CLOSED", dict.fromkeys(gateway.CLOSED, ())), _surface
    years = timedelta(days=3650)
    yield out, "step-up: a fresh sign-in", lambda: _patched(freshness, "FRESH_FOR", years), _stale


def _nothing(*_arguments: Any) -> None:
    """Let through."""


_real_as_member = gateway._as_member


def _as_anybody(request: Any, person: TenantContext, **tenant: Any) -> TenantContext:
    """Take whoever asks for an owner of the tenant that is asked for."""
    from apps.tenants.context import tenant_context

    with tenant_context(TenantContext(platform=True, credential="system")):
        found = Member.objects.active().filter(**{f"tenant__{key}": value for key, value in tenant.items()}).first()
    return _real_as_member(request, replace(person, user=found.user_id if found else person.user), **tenant)


def _anybodys_platform(user: User, person: TenantContext) -> TenantContext:
    return replace(person, platform=True, permissions=frozenset({"platform.read"}))


def _membership(people: People) -> Iterator[Cell]:
    slug, tenant = people.owner.tenant.slug, people.owner.tenant_id
    yield Cell("a rival's page", lambda: _ask(people.rival, "GET", f"/t/{slug}/forms/").status_code == 404)
    token = _token(people.rival, tenant)
    yield Cell("a rival's token for this tenant", lambda: _is_problem(_ask(token, "GET", "/api/v1/forms"), 401))


def _other_site(people: People) -> Iterator[Cell]:
    path = f"/t/{people.owner.tenant.slug}/settings/general/"
    yield Cell(
        "a post from another site", lambda: _ask(people.owner, "POST", path, site="cross-site").status_code == 403
    )
    yield Cell("DELETE /security", lambda: _ask(None, "DELETE", "/security").status_code == 405)


def _too_large(people: People) -> Iterator[Cell]:
    size = settings.REQUEST_MAX_BYTES + 1
    yield Cell("a request beyond the limit", lambda: _ask(None, "POST", LOGIN, size=size).status_code == 413)


def _revoked(people: People) -> Iterator[Cell]:
    def is_refused() -> bool:
        family = new_id()
        token = _token(people.owner, people.owner.tenant_id, family)
        with as_system(people.owner.tenant_id):
            revoke(RevokedKind.FAMILY, family)
        return _is_problem(_ask(token, "GET", "/api/v1/me"), 401)

    yield Cell("a token that was taken back", is_refused)


def _platform(people: People) -> Iterator[Cell]:
    yield Cell("an owner at the admin", lambda: _ask(people.owner, "GET", "/admin/").status_code == 404)


def _surface(people: People) -> Iterator[Cell]:
    def is_closed() -> bool:
        with override_settings(SURFACE="tenant"):
            return _ask(people.admin, "GET", "/admin/").status_code == 404  # type: ignore[no-any-return]

    yield Cell("the admin on a surface of tenants", is_closed)


def _stale(people: People) -> Iterator[Cell]:
    path = f"/t/{people.owner.tenant.slug}/settings/data/"

    def is_asked_again() -> bool:
        client = browser(people.owner)
        session = client.session
        session["account_authentication_methods"] = [{"method": "password", "at": time.time() - 3600}]
        session.save()
        return "/account/" in client.post(path).get("Location", "")

    yield Cell("an old sign-in that takes the data out", is_asked_again)


def _token(member: Member, tenant: Any, family: Any = None) -> str:
    return issue_access(user=member.user_id, tenant=tenant, family=family or new_id(), auth_time=clock.now(), amr="pwd")


def _ask(who: Member | User | str | None, method: str, path: str, *, size: int = 0, site: str = "") -> Any:
    """One request by nobody, by a person in the browser or with their token, or with a token as text."""
    headers: dict[str, Any] = {"CONTENT_LENGTH": str(size)} if size else {}
    if site:
        headers["HTTP_SEC_FETCH_SITE"] = site
    if isinstance(who, str):
        headers["HTTP_AUTHORIZATION"] = f"Bearer {who}"
    client = _client(who) if isinstance(who, (Member, User)) else Client()
    client.raise_request_exception = False  # what a mutant lets through may break further in
    return client.generic(
        method, path, b"", content_type="application/json" if is_api(path) else "text/plain", **headers
    )


_clients: dict[Any, tuple[float, Client]] = {}


def _client(who: Member | User) -> Client:
    """A browser of this person, signed in within the last minutes."""
    made, client = _clients.get(who.pk, (0.0, None))
    if client is None or time.monotonic() - made > SIGNED_IN_SECONDS:
        client = browser(who)
        _clients[who.pk] = time.monotonic(), client
    return client


def _is_problem(answer: Any, status: int) -> bool:
    return answer.status_code == status and answer["Content-Type"] == "application/problem+json"


def _asks_to_sign_in(answer: Any, method: str) -> bool:
    if method not in gateway.SAFE:
        return bool(answer.status_code == 401)
    return answer.status_code == 302 and answer["Location"].startswith(LOGIN)


def _is_not_taken(answer: Any, path: str, allowed: str) -> bool:
    """Refused by the gateway itself: a view that refuses too does so in another form."""
    said = answer.status_code == 405 and answer.get("Allow", "") == allowed
    return said and (not is_api(path) or _is_problem(answer, 405))


def _pattern(path: str) -> str:
    rule = doors.rule_of(path)
    return rule.pattern.pattern if rule else ""
