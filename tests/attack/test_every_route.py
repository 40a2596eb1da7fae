"""Every route of the URL resolver, with every method, asked by those whose tenant it is not, with real ids of another.

Two oracles: no answer holds a word of the victim, and after all of it every row of the victim is what it was.
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Iterator
from itertools import islice
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.urls import get_resolver

from apps.accounts.doors import is_api, rule_of
from apps.accounts.models import Invitation, Member, User
from apps.forms.models import Form
from apps.tenants.catalogue import tenant_tables
from apps.tenants.context import as_system
from tests.cast import PASSWORD, DemoCast
from tests.database import superuser

from .test_the_doors import walk

METHODS = ("get", "post", "put", "patch", "delete")
# What a stranger may get: sign in, not there, not that way, not in that form, not at that pace.
CLOSED = {400, 401, 404, 405, 413, 415, 422, 429}
# Whoever knows the address of a form that its owner made public may open it: that is what public means.
OPEN_BY_DESIGN = re.compile(r"f/|receipt/|webhooks/(comms|stripe)|healthz/|account/|admin/|static/")
PLACE = re.compile(r"<(?:(\w+):)?(\w+)>|\(\?P<(\w+)>[^)]*\)")


class Victim:
    """A tenant at work: one real id of each of its tables, its words, and a fingerprint of all its rows."""

    def __init__(self, owner: Member) -> None:
        self.tenant, self.slug = owner.tenant_id, owner.tenant.slug
        with superuser() as connection:
            rows = {
                table: connection.execute(
                    f'SELECT id FROM "{table}" WHERE tenant_id = %s LIMIT 1', [self.tenant]
                ).fetchone()
                for table in tenant_tables()
            }
        self.ids: dict[str, UUID] = {table: row[0] for table, row in rows.items() if row}  # type: ignore[misc]
        with as_system(self.tenant):
            people = Member.objects.select_related("user")
            self.words = {owner.tenant.name} | {person.name for person in people} | {person.email for person in people}
            self.form = str(Form.objects.order_by("created_at").values_list("slug", flat=True)[0])

    def fingerprint(self) -> dict[str, str]:
        """One hash a table over all rows of the tenant."""
        found: dict[str, str] = {}
        with superuser() as connection:
            for table in tenant_tables():
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

    def query(self) -> str:
        """Filters and cursors that name the victim's rows."""
        one = {table: str(value) for table, value in self.ids.items()}
        return (
            f"?form={one['forms_form']}&submission={one['forms_submission']}&actor={one['accounts_member']}"
            f"&target={one['forms_submission']}&tenant={self.tenant}&before=2030-01-01T00:00:00+00:00_{one['audit_entry']}"
        )


@pytest.fixture
def victim(demo: DemoCast) -> Victim:
    found = Victim(demo.acme("owner"))
    assert len(found.ids) >= 15, sorted(found.ids)
    return found


def routes() -> list[str]:
    return sorted({route for route in walk(get_resolver()) if not OPEN_BY_DESIGN.match(route)})


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
    extra = {"content_type": "application/json"} if isinstance(client, Client) and is_api(path) else {}
    if method == "get":
        return client.get(path + victim.query())
    return getattr(client, method)(path, victim.body() if is_api(path) else {}, **extra)


def leaks(answer: Any, victim: Victim) -> set[str]:
    content = b"".join(answer.streaming_content) if answer.streaming else answer.content
    text = content.decode(errors="replace")
    return {word for word in victim.words if word in text}


def attack(client: Any, victim: Victim, tenant: str, expected: set[int]) -> int:
    """Ask every route with every method; returns how many requests that were. Raises AssertionError at the first leak."""
    count = 0
    for route in routes():
        # At the victim's own address nobody gets as far as an id; elsewhere every id is tried in every place.
        most = 1 if tenant == victim.slug and route.startswith("t/") else None
        for number, path in enumerate(islice(filled(route, victim, tenant), most)):
            rule = rule_of(path)
            for method in METHODS if number == 0 else ("get",):
                if rule is not None and rule.methods and method.upper() not in rule.methods:
                    continue
                answer = ask(client, method, path, victim)
                count += 1
                assert not leaks(answer, victim), (method, path)
                assert answer.status_code < 500, (method, path)
                if "<" in route.replace("<slug:tenant>", "") or tenant == victim.slug:
                    named = "<slug:tenant>" in route or "<uuid" in route or "(?P<" in route
                    assert not named or answer.status_code in expected, (method, path, answer.status_code)
    return count


def tell(capsys: Any, who: str, count: int) -> None:
    """The figures, also where everything passes."""
    with capsys.disabled():
        sys.stdout.write(
            f"\n{who}: {len(routes())} routes, {count} requests, 0 words of another tenant, 0 rows changed\n"
        )


def signed_in(member: Member) -> Client:
    """A browser in which this person has just signed in by password, so that no step-up stands before an answer."""
    client = Client()
    answer = client.post("/account/login/", {"login": member.email, "password": PASSWORD})
    assert answer.status_code == 302
    return client


def test_a_rival_owner_in_the_browser_finds_nothing_and_changes_nothing(demo, victim, capsys):
    before = victim.fingerprint()
    client = signed_in(demo.globex("owner"))
    count = attack(client, victim, victim.slug, CLOSED) + attack(client, victim, "globex", CLOSED)
    assert victim.fingerprint() == before
    tell(capsys, "a rival in the browser", count)


def test_a_rival_owner_with_a_token_finds_nothing_and_changes_nothing(api, demo, victim, capsys):
    before = victim.fingerprint()
    client = api.as_(demo.globex("owner"))
    client.default_format = "json"
    count = attack(client, victim, victim.slug, CLOSED | {302})
    assert victim.fingerprint() == before
    tell(capsys, "a rival with a token", count)


def test_a_stranger_finds_nothing_and_changes_nothing(api, demo, victim):
    before = victim.fingerprint()
    attack(api, victim, victim.slug, CLOSED | {302})
    assert victim.fingerprint() == before


def test_a_super_admin_without_a_visit_changes_nothing(browse, demo, victim):
    admin = User.objects.get(email="admin@orkestra.example")
    before = victim.fingerprint()
    client = Client()
    client.force_login(admin)
    attack(client, victim, victim.slug, CLOSED)
    assert victim.fingerprint() == before


def test_a_viewer_writes_nothing_in_their_own_tenant(browse, demo, victim):
    before = victim.fingerprint()
    client = browse(demo.acme("viewer"))
    for route in routes():
        for path in list(filled(route, victim, victim.slug))[:3]:
            for method in METHODS[1:]:
                answer = ask(client, method, path, victim)
                assert answer.status_code < 500, (method, path)
    after = victim.fingerprint()
    changed = {table for table in after if after[table] != before[table]}
    assert {table for table in changed if not table.startswith("audit_")} == set()


def test_the_oracle_sees_a_leak_and_a_change(demo, victim, browse):
    answer = browse(demo.acme("owner")).get("/t/acme/")
    assert leaks(answer, victim)
    before = victim.fingerprint()
    with superuser() as connection:
        connection.execute("UPDATE accounts_team SET name = name || '!' WHERE tenant_id = %s", [victim.tenant])
        assert victim.fingerprint() != before
        connection.execute("UPDATE accounts_team SET name = rtrim(name, '!') WHERE tenant_id = %s", [victim.tenant])
    assert victim.fingerprint() == before


def test_an_invitation_of_another_tenant_cannot_be_withdrawn(api, demo, victim):
    with as_system(victim.tenant):
        waiting = Invitation.objects.open().count()
    assert api.as_(demo.globex("owner")).delete(f"/api/v1/invitations/{victim.tenant}").status_code == 404
    with as_system(victim.tenant):
        assert Invitation.objects.open().count() == waiting
