"""Whether another tenant's object exists shows neither in the answer nor in the work: the statements are the same."""

from __future__ import annotations

import re
from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.tenants.ids import new_id
from tests import cast
from tests.cast import DemoCast
from tests.proof.matrix import PLACE, Victim, filled, routes

VALUES = re.compile(r"'[^']*'|\b\d+\b")
# Asked anew every few seconds, whoever asks and whatever for.
CLOCKED = re.compile("trust_candidatepolicy|flags_|signingkey|context_kid")


def asked(client: Any, path: str, identity: str) -> tuple[int, bytes, list[str]]:
    """The status, the body without its ids, and the statements without their values."""
    with CaptureQueriesContext(connection) as queries:
        answer = client.get(path)
    body = re.sub(rb'("request_id": ?)"[^"]*"', rb"\1", answer.content).replace(identity.encode(), b"")
    return (
        answer.status_code,
        body,
        [VALUES.sub("?", query["sql"]) for query in queries.captured_queries if not CLOCKED.search(query["sql"])],
    )


def fitting(victim: Victim) -> list[tuple[str, str]]:
    """Routes of the API with one object in the address, each with the id of a kind that its name holds."""
    found = []
    for route in routes():
        if "api/v1/" not in route or len(PLACE.findall(route)) != 1 or not re.search(r"uuid|P<pk>", route):
            continue
        for table, identity in victim.ids.items():
            kind = table.split("_", 1)[1].removesuffix("y")
            if kind in route.replace("-", "").replace("_", ""):
                found += [(path, str(identity)) for path in filled(route, victim, "") if str(identity) in path]
    return found


def test_an_object_of_another_tenant_costs_and_says_what_one_that_is_not_there_does(api, demo: DemoCast):
    victim, rival = Victim(demo.acme("owner")), cast.company("rival")
    pairs = fitting(victim)
    assert len(pairs) >= 8, pairs
    client, differing = api.as_(rival.owner), []
    for path, identity in pairs:
        missing = str(new_id())
        nowhere = path.replace(identity, missing)
        asked(client, nowhere, missing)  # what is remembered from the first time on is remembered for both
        for _again in range(3):  # what a clock makes forgotten in between differs once, and not three times
            real, absent = asked(client, path, identity), asked(client, nowhere, missing)
            if real == absent:
                break
        if real != absent or real[0] not in {404, 405}:
            differing.append((path, real[0], absent[0], len(real[2]), len(absent[2])))
    assert differing == []
    owner, seen = api.as_(demo.acme("owner")), [path for path, _identity in pairs]
    assert sum(owner.get(path).status_code == 200 for path in seen) >= 8, "nobody finds them: this would prove nothing"
