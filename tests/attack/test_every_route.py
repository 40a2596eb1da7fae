"""Every route of the URL resolver, with every method, asked by those whose tenant it is not, with real ids of another.

A sample by a fixed seed: `scripts/prove-isolation` tries every id in every place (`tests/proof/matrix.py`).
"""

from __future__ import annotations

import sys
from typing import Any

import pytest

from apps.accounts.models import Invitation, User
from apps.tenants.context import as_system
from tests import cast
from tests.cast import DemoCast
from tests.database import superuser
from tests.proof.matrix import METHODS, Result, Victim, ask, attack, filled, leaks, people, routes

# One of the victim's ids in each place, the most fitting one; those who can do less than an owner at so many routes.
IDS, OTHERS_ROUTES = 1, 20


@pytest.fixture
def victim(demo: DemoCast) -> Victim:
    found = Victim(demo.acme("owner"))
    assert len(found.ids) >= 15, sorted(found.ids)
    return found


def tell(capsys: Any, result: Result) -> None:
    """The figures, also where everything passes."""
    with capsys.disabled():
        sys.stdout.write(
            f"\n{len(result.routes)} of {len(routes())} routes, {result.requests} requests, {dict(result.answers)}, "
            f"{len(result.red)} leaks\n"
        )


def test_nobody_of_another_tenant_finds_or_changes_anything(victim, capsys):
    """Nobody, a viewer, a member and an owner of a rival, and a Super Admin without a visit, each at both doors."""
    rival, admin = cast.company("rival"), User.objects.get(email="admin@orkestra.example")
    before, total, asked = victim.fingerprint(), Result(), people(rival, admin)
    assert len(asked) == 9
    for person in asked:
        is_owner = "owner" in person.name
        total.add(attack(person, victim, rival.slug, ids=IDS, most=None if is_owner else OTHERS_ROUTES))
    assert "\n".join(total.red) == ""
    assert victim.fingerprint() == before
    assert len(total.routes) == len(routes())
    assert total.answers[200] + total.answers[201] >= 60, "the people cannot do a thing: this would prove nothing"
    tell(capsys, total)


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
