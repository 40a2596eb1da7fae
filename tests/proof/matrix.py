"""Every route × method × person, with another tenant's real ids in the address, the filters, the cursor and the body.

Two oracles: no answer holds a word of the victim, and after all of it every row of the victim is what it was. `ids` says
how many of the victim's ids are tried in each place, chosen by a fixed seed; None tries them all.
"""

from __future__ import annotations

import base64
import hashlib
import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from django.test import Client
from django.urls import get_resolver

from apps.accounts.doors import is_api, rule_of
from apps.accounts.models import Member, User
from apps.audit import reconcile
from apps.audit.sealer import seal
from apps.forms.models import Form
from apps.tenants.catalogue import tenant_tables
from apps.tenants.context import as_system
from tests.cast import Company
from tests.clients import Api, browser
from tests.database import superuser
from tests.routes import walk

METHODS = ("get", "post", "put", "patch", "delete")
# What a stranger may get: sign in, not there, not that way, not in that form, not at that pace.
CLOSED = {400, 401, 404, 405, 413, 415, 422, 429}
# Whoever knows the address of a form that its owner made public may open it: that is what public means.
OPEN_BY_DESIGN = re.compile(r"f/|receipt/|webhooks/(comms|stripe)|healthz/|account/|admin/|static/")
PLACE = re.compile(r"<(?:(\w+):)?(\w+)>|\(\?P<(\w+)>[^)]*\)")
ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
SEED = 20261124
VERIFICATIONS = {"audit_verified", "audit_reconciled"}  # a Super Admin may verify every log, without entering a tenant


class Victim:
    """A tenant at work: one real id of each of its tables, its words, and a fingerprint of all its rows."""

    def __init__(self, owner: Member) -> None:
        self.tenant, self.slug = owner.tenant_id, owner.tenant.slug
        # A Super Admin who lets all logs be verified has what waits sealed, and what other tests did behind the log told in
        # it, once: both come first.
        with as_system(self.tenant):
            reconcile.keep(reconcile.reconcile())
        seal(self.tenant)
        with superuser() as connection:
            rows = {
                table: connection.execute(
                    f'SELECT id FROM "{table}" WHERE tenant_id = %s ORDER BY id LIMIT 1', [self.tenant]
                ).fetchone()
                for table in tenant_tables()
            }
        self.ids: dict[str, UUID] = {table: row[0] for table, row in rows.items() if row}  # type: ignore[misc]
        with as_system(self.tenant):
            people = Member.objects.select_related("user")
            self.words = {owner.tenant.name} | {person.name for person in people} | {person.email for person in people}
            self.form = str(Form.objects.order_by("created_at").values_list("slug", flat=True)[0])

    def fingerprint(self) -> dict[str, str]:
        """One hash a table over all rows of the tenant, but for what the last verification of its log found."""
        found: dict[str, str] = {}
        with superuser() as connection:
            for table in set(tenant_tables()) - VERIFICATIONS:
                text = connection.execute(
                    f"SELECT coalesce(string_agg(t::text, chr(10) ORDER BY t.id), '') FROM \"{table}\" t WHERE tenant_id = %s",
                    [self.tenant],
                ).fetchone()
                found[table] = hashlib.sha256(str(text).encode()).hexdigest()
        return found

    def body(self) -> dict[str, Any]:
        """A body that names the victim's ids wherever one could stand, also inside lists."""
        one = {table: str(value) for table, value in self.ids.items()}
        member, team, form = one["accounts_member"], one["accounts_team"], one["forms_form"]
        return {
            "tenant": str(self.tenant), "tenant_id": str(self.tenant), "id": form, "form": form, "member": member,
            "team": team, "teams": [team], "title": "Mine", "name": "Mine", "slug": "mine-now", "role": "OWNER",
            "principal_type": "USER", "principal_id": member, "email": "someone@rival.example", "reason": "a reason",
            "verdict": "approve", "revision": one["forms_revision"], "draft": False, "targetingKey": str(self.tenant),
            "data": {"item": "x", "quotes": [one.get("forms_attachment", form)], "person": member},
            "schema": {"type": "object", "properties": {"item": {"type": "string", "title": "Item"}}},
            "path": {"steps": [{"key": "a", "name": "A", "approvers": [{"type": "team", "id": team}], "quorum": {"kind": "any"}}]},
            "url": "https://hooks.example/x", "events": ["submission.sent"], "context": {"targetingKey": str(self.tenant)},
        }  # fmt: skip

    def fields(self) -> dict[str, Any]:
        """The same as a page's form sends it, with the names under which pages send ids; lists as several values."""
        one = {table: str(value) for table, value in self.ids.items()}
        member, team = one["accounts_member"], one["accounts_team"]
        more = {
            "to": member, "person": member, "members": [member], "principal": f"USER:{member}", "key": member,
            "submission": one["forms_submission"], "assignment": one["approvals_assignment"], "stand_in": member,
            "path_id": one["approvals_path"], "act": "remove", "comment": "a word", f"heir-{member}": member,
            "data.quotes": [one.get("forms_attachment", team)], "approvers": [f"team:{team}"],
        }  # fmt: skip
        plain = {key: value for key, value in self.body().items() if not isinstance(value, dict)}
        nested = {key: json.dumps(value) for key, value in self.body().items() if isinstance(value, dict)}
        return plain | nested | more

    def query(self) -> str:
        """Filters and cursors that name the victim's rows, as pages and as the API write them."""
        one = {table: str(value) for table, value in self.ids.items()}
        cursor = base64.b64encode(f"p={one['forms_submission']}".encode()).decode().replace("=", "%3D")
        return (
            f"?form={one['forms_form']}&submission={one['forms_submission']}&actor={one['accounts_member']}"
            f"&target={one['forms_submission']}&tenant={self.tenant}&before=2030-01-01T00:00:00+00:00_{one['audit_entry']}"
            f"&cursor={cursor}&entry={one['audit_entry']}&member={one['accounts_member']}&team={one['accounts_team']}"
            f"&id={one['forms_form']}&ids={one['forms_form']},{one['forms_submission']}&q={one['forms_submission']}"
        )


@dataclass
class Result:
    """What a run showed: how many requests there were, what was answered, and what must not have been."""

    requests: int = 0
    routes: set[str] = field(default_factory=set)
    answers: Counter[int] = field(default_factory=Counter)
    red: list[str] = field(default_factory=list)

    def add(self, other: Result) -> None:
        self.requests += other.requests
        self.routes |= other.routes
        self.answers += other.answers
        self.red += other.red


@dataclass(frozen=True)
class Person:
    """Who asks, made anew for each route so that no sign-in grows old; `expected` is what they may get at the victim's."""

    name: str
    client: Callable[[], Any]
    expected: frozenset[int]


def people(rival: Company, admin: User) -> list[Person]:
    """Everybody whose tenant it is not: at both doors nobody, a viewer, a member and an owner of a rival, a Super Admin."""
    pages, tokens = frozenset(CLOSED), frozenset(CLOSED | {302})
    roles = {"viewer": rival.viewer, "member": rival.editor, "owner": rival.owner}
    found = [Person("nobody", Api, tokens)]
    for role, member in roles.items():
        found.append(Person(f"a rival {role} in the browser", lambda member=member: browser(member), pages))  # type: ignore[misc]
        found.append(Person(f"a rival {role} with a token", lambda member=member: Api().as_(member), tokens))  # type: ignore[misc]
    found.append(Person("a Super Admin in the browser", lambda: browser(admin), pages))
    found.append(Person("a Super Admin with a token", lambda: Api().as_(admin), tokens))
    return found


def routes() -> list[str]:
    """Every route whose address could name something of a tenant."""
    return sorted({route for route in walk(get_resolver()) if not OPEN_BY_DESIGN.match(route)})


def attack(person: Person, victim: Victim, own: str, *, ids: int | None, most: int | None = None) -> Result:
    """Ask every route with every method, at the victim's own address and at the person's; `most` bounds the routes."""
    result, dice = Result(), random.Random(f"{SEED}{person.name}")
    chosen = routes() if most is None else sorted(dice.sample(routes(), most))
    for route in chosen:
        client = person.client()
        if isinstance(client, Api):
            client.default_format = "json"
        tenants = {victim.slug, own} if "<slug:tenant>" in route else {own}
        for tenant in sorted(tenants):
            _one_route(client, person, victim, route, tenant, ids, dice, result)
    return result


def _one_route(
    client: Any,
    person: Person,
    victim: Victim,
    route: str,
    tenant: str,
    ids: int | None,
    dice: random.Random,
    into: Result,
) -> None:
    paths = list(filled(route, victim, tenant))
    # At the victim's own address nobody gets as far as an id; elsewhere the ids are tried in every place.
    most = 1 if tenant == victim.slug and route.startswith("t/") else ids
    paths = paths if most is None else _likely(paths, route, victim, dice)[:most]
    named = "<slug:tenant>" in route or "<uuid" in route or "(?P<" in route
    is_refused = named and ("<" in route.replace("<slug:tenant>", "") or tenant == victim.slug)
    for path in paths:
        rule = rule_of(path)
        for method in METHODS:
            if rule is not None and rule.methods and method.upper() not in rule.methods:
                continue
            answer = ask(client, method, path, victim)
            into.requests += 1
            into.answers[answer.status_code] += 1
            into.routes.add(route)
            about = f"{person.name}: {method.upper()} {path} answered {answer.status_code}"
            if found := leaks(answer, victim):
                into.red.append(f"{about} with {len(found)} words of another tenant")
            is_told = is_refused and answer.status_code not in person.expected
            if answer.status_code >= 500 or (
                is_told and not _is_for_any_id(client, person, answer, method, path, victim)
            ):
                into.red.append(about)


def _likely(paths: list[str], route: str, victim: Victim, dice: random.Random) -> list[str]:
    """The addresses by lot, but first those with an id of what a word of the route names: `teams` an accounts_team."""
    words = [re.sub(r"(ies|s)$", "", word) for word in re.findall("[a-z]{4,}", PLACE.sub("", route))]
    named = {
        str(identity)
        for table, identity in victim.ids.items()
        if any(word in table.partition("_")[2] for word in words)
    }  # fmt: skip
    return sorted(dice.sample(paths, len(paths)), key=lambda path: not any(identity in path for identity in named))


def _is_for_any_id(client: Any, person: Person, answer: Any, method: str, path: str, victim: Victim) -> bool:
    """Whether the role alone refuses: at an address of their own tenant, and an id that nobody has is refused alike."""
    if answer.status_code != 403 or f"/t/{victim.slug}/" in path:
        return False
    nobodys = ID.sub(lambda _: str(uuid4()), path).replace(f"/{victim.form}", f"/no-{uuid4().hex[:8]}")
    return nobodys != path and ask(client, method, nobodys, victim).status_code == 403


def filled(route: str, victim: Victim, tenant: str) -> Iterator[str]:
    """The addresses of a route: its tenant as given, its other places with the victim's ids, each in turn."""
    places = [(found[2] or found[3], found[1] or "regex") for found in PLACE.finditer(route)]
    ids = [str(value) for value in victim.ids.values()] if any(kind != "slug" for _, kind in places) else [""]
    for identity in ids:
        values = {name: victim.form if kind in {"slug", "str"} else identity for name, kind in places}
        values["tenant"] = tenant
        path = PLACE.sub(lambda found, values=values: values[found[2] or found[3]], route)  # type: ignore[misc]
        yield "/" + re.sub(r"[\^$]|\\Z", "", path).replace("\\.", ".").replace("/?", "")


def ask(client: Any, method: str, path: str, victim: Victim) -> Any:
    """One request with the victim's ids in its filters and its body."""
    address = path + victim.query()
    if method == "get":
        return client.get(address)
    if is_api(path):
        extra = (
            {"content_type": "application/json"} if isinstance(client, Client) and not isinstance(client, Api) else {}
        )
        return getattr(client, method)(address, victim.body(), **extra)
    if method != "post":
        return getattr(client, method)(address)
    extra = {"format": "multipart"} if isinstance(client, Api) else {}
    return client.post(address, victim.fields(), **extra)


def leaks(answer: Any, victim: Victim) -> set[str]:
    """The words of the victim that an answer holds."""
    content = b"".join(answer.streaming_content) if answer.streaming else answer.content
    text = content.decode(errors="replace")
    return {word for word in victim.words if word in text}
