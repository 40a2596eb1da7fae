"""The measurements of `auth`, inside a process of the app's: times in milliseconds, counts of statements and commands."""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "orkestra.settings"
django.setup()

from django.db import connections
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from redis.connection import AbstractConnection

from apps.accounts.gateway import identify
from apps.accounts.models import Member
from apps.forms.access import capabilities, look
from apps.forms.models import WORKING, Form
from apps.tenants.context import tenant_context

ROUNDS, WARM_UP = 600, 100


def main(token: str, port: str) -> dict[str, Any]:
    """Everything by name."""
    request = RequestFactory().get(
        "/api/v1/forms", headers={"Authorization": f"Bearer {token}", "Host": f"localhost:{port}"}
    )
    found: dict[str, Any] = {"authenticate": timed(lambda: identify(request)) | counted(lambda: identify(request))}
    with tenant_context(identify(request)):
        member = Member.objects.select_related("user", "tenant").get(pk=request.member.pk)  # type: ignore[attr-defined]
        form = Form.objects.granted_to(member, "EDITOR").filter(slug__startswith="measured-").first()
        assert form is not None
        bare = connections["default"].connection
        # What no check can be quicker than as long as it asks the database at all.
        found["bare_round_trip"] = timed(lambda: bare.execute("SELECT 1").fetchone())
        asked = partial(capabilities, form, member)
        found["check"] = timed(asked) | in_database(asked)
        # A page of one form asks by the statement that reads the form.
        read = partial(Form.objects.get, pk=form.pk)
        found["read"], found["look"] = beside(read, partial(look, member, Form.objects.all(), pk=form.pk))
        for name, rows in (
            # Each from the call to 50 rows as the page of forms shows them, the building of the query included …
            ("list_granted", lambda: Form.objects.granted_to(member, *WORKING).listed()),
            ("list_visible", lambda: Form.objects.visible_to(member).listed()),
            # … and with every column, the JSON of drafts read too.
            ("list_whole", lambda: Form.objects.visible_to(member)),
        ):
            found[name] = timed(partial(fifty, rows)) | in_database(partial(fifty, rows))
    client = Client()
    found["api_list"] = timed(lambda: answered(client, token, port), rounds=100)
    return found


def fifty(rows: Callable[[], Any]) -> list[Form]:
    """The newest 50."""
    found = list(rows().order_by("-id")[:50])
    assert len(found) == 50
    return found


def answered(client: Client, token: str, port: str) -> int:
    """`GET /api/v1/forms` of 50 forms through every middleware, without the network; its length in bytes."""
    headers = {"Authorization": f"Bearer {token}", "Host": f"localhost:{port}"}
    answer = client.get("/api/v1/forms?page_size=50", headers=headers)
    assert answer.status_code == 200, answer.content
    return len(answer.content)


def timed(act: Callable[[], object], rounds: int = ROUNDS) -> dict[str, float]:
    """Wall time, and the time that this process itself worked, which a busy machine does not stretch."""
    return beside(act, rounds=rounds)[0]


def beside(*acts: Callable[[], object], rounds: int = ROUNDS) -> list[dict[str, float]]:
    """The same of several acts in turn, so that a busy minute is busy for all of them."""
    for act in acts * WARM_UP:
        act()
    times: list[list[tuple[float, float]]] = [[] for _ in acts]
    for _ in range(rounds):
        for place, act in enumerate(acts):
            started, working = time.perf_counter(), time.thread_time()
            act()
            times[place].append(((time.perf_counter() - started) * 1000, (time.thread_time() - working) * 1000))
    return [_figures(*zip(*measured, strict=True)) for measured in times]


def _figures(times: Sequence[float], worked: Sequence[float]) -> dict[str, float]:
    cuts = statistics.quantiles(times, n=100)
    return {
        "p50_ms": round(cuts[49], 3),
        "p95_ms": round(cuts[94], 3),
        "cpu_p50_ms": round(statistics.median(worked), 3),
    }


def counted(act: Callable[[], object]) -> dict[str, int]:
    """Statements to PostgreSQL and round trips to Redis of one act."""
    sent: list[object] = []
    original = AbstractConnection.send_packed_command
    AbstractConnection.send_packed_command = lambda self, *args, **kwargs: (
        sent.append(args),
        original(self, *args, **kwargs),
    )[1]  # type: ignore[method-assign]
    try:
        with CaptureQueriesContext(connections["default"]) as queries:
            act()
    finally:
        AbstractConnection.send_packed_command = original  # type: ignore[method-assign]
    return {"statements": len(queries), "redis_round_trips": len(sent)}


def in_database(act: Callable[[], object]) -> dict[str, float]:
    """The statement's own time, planned and executed, as the database measures it; the median of 50."""
    with CaptureQueriesContext(connections["default"]) as queries:
        act()
    statement = queries.captured_queries[-1]["sql"].split("; ")[-1]
    times = []
    for _ in range(50):
        with connections["default"].cursor() as cursor:
            cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}".replace("%", "%%"))
            (plan,) = cursor.fetchone()
        plan = json.loads(plan) if isinstance(plan, str) else plan
        times.append(plan[0]["Execution Time"] + plan[0]["Planning Time"])
    return {"database_ms": round(statistics.median(times), 3)}


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
