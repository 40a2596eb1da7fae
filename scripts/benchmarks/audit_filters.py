"""The part `filters` of `audit`: one page of the log by each single filter, in a log of 10,000 and one of 1,000,000 entries."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import psycopg

from .stage import ROOT, Stage

SIZES = tuple(int(size) for size in os.environ.get("ORKESTRA_BENCH_FILTERED", "10000,1000000").split(","))
ROUNDS = 60
GOAL_MS = 50.0
# Entries as the app writes them, made inside the database: a million take a minute or two. They are not sealed.
ENTRIES = """
    INSERT INTO audit_entry (tenant_id, id, time, action, actor_type, actor_id, target_type, target_id, target_label,
                             outcome, request_id, body)
    SELECT %(tenant)s::uuid, id, time, action, kind, actor, type, target, label, outcome, request, convert_to(format(
      '{"action":"%%s","actor":{"id":"%%s","type":"%%s"},"credential":"session","facts":{"revision":1,"sha256":"%%s"},'
      '"id":"%%s","impersonator":null,"log":"%%s","outcome":"%%s","request_id":"%%s","targets":[{"id":"%%s","label":"%%s",'
      '"type":"%%s"}],"time":"%%s","v":1}', action, actor, kind, encode(sha256(id::text::bytea), 'hex'), id, %(tenant)s::uuid,
      outcome, request, target, label, type, to_char(time AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')), 'UTF8')
    FROM (
      SELECT uuidv7(interval '-1 millisecond' * (%(size)s::int - n) * 30) AS id,
        now() - interval '1 millisecond' * (%(size)s::int - n) * 30 AS time,
        CASE WHEN n %% 5000 = 0 THEN 'plan.changed' ELSE (ARRAY['submission.sent', 'submission.decided', 'step.opened',
          'form.changed', 'token.issued'])[1 + n %% 5] END AS action,
        md5('a' || n %% 50)::uuid AS actor, (ARRAY['submission', 'form', 'step'])[1 + n %% 3] AS type,
        md5('t' || n %% 2000)::uuid AS target,
        'Order PR-2026-' || lpad((n %% 2000)::text, 5, '0') || CASE WHEN n %% 5000 = 1 THEN ' seldom' ELSE '' END AS label,
        CASE WHEN n %% 5000 = 2 THEN 'failed' WHEN n %% 100 = 3 THEN 'refused' ELSE 'done' END AS outcome,
        md5('r' || n / 3)::uuid::text AS request, CASE WHEN n %% 5000 = 3 THEN 'system' ELSE 'member' END AS kind
      FROM generate_series(1, %(size)s::int) AS n) AS made"""
WORDS = """
    INSERT INTO audit_word (tenant_id, id, word, time, entry_id)
    SELECT tenant_id, gen_random_uuid(), word, time, id FROM audit_entry, LATERAL unnest(
      string_to_array(lower(target_label), ' ') || ARRAY['2026', right(split_part(target_label, ' ', 2), 5)]
      || CASE WHEN outcome = 'failed' THEN ARRAY['#support'] ELSE '{}' END) AS word
    WHERE tenant_id = %(tenant)s::uuid"""
PAGE = """
import json, statistics, sys, time
import django
django.setup()
from datetime import timedelta
from uuid import UUID
from zoneinfo import ZoneInfo
from django.db import connection
from apps.audit.filters import EntryFilter
from apps.audit.models import Entry
from apps.audit.rows import rows_of
from apps.tenants.context import as_system

def page(query, position):
    asked = EntryFilter(query, zone=ZoneInfo("UTC"))
    return rows_of(asked.page(position, 50).rows)

with as_system(UUID(sys.argv[1])):
    newest = Entry.objects.order_by("-time", "-id").first()
    oldest = Entry.objects.order_by("time", "id").first()
    middle = oldest.time + (newest.time - oldest.time) / 2
    some = Entry.objects.filter(time__gte=middle).order_by("time", "id").first()
    deep = {"before": f"{some.time.isoformat()}_{some.pk}"}
    day = str(some.time.date())
    asked = {
        "none": ({}, {}), "none, deep": ({}, deep), "since": ({"since": day}, {}), "until": ({"until": day}, {}),
        "actor": ({"actor": some.actor_id}, {}), "actor, deep": ({"actor": some.actor_id}, deep),
        "action, common": ({"action": some.action}, {}), "action, rare": ({"action": "plan.changed"}, {}),
        "type": ({"type": some.target_type}, {}), "target": ({"target": some.target_id}, {}),
        "outcome, common": ({"outcome": "done"}, {}), "outcome, rare": ({"outcome": "failed"}, {}),
        "kind of actor, common": ({"actor_type": "member"}, {}), "kind of actor, rare": ({"actor_type": "system"}, {}),
        "kind of actor, nobody": ({"actor_type": "anonymous"}, {}), "through, rare": ({"through": "support"}, {}),
        "through, nobody": ({"through": "behalf"}, {}),
        "request": ({"request": some.request_id}, {}), "text, in every entry": ({"text": "order"}, {}),
        "text, in every entry, deep": ({"text": "order"}, deep), "text, rare": ({"text": "seldom"}, {}),
        "text, a reference": ({"text": some.target_label.split()[1]}, {}), "text, nowhere": ({"text": "nowhere"}, {}),
        "text, two words": ({"text": "order seldom"}, {}),
    }
    found = {}
    for name, (query, position) in asked.items():
        page(query, position)
        times = []
        for _ in range(int(sys.argv[2])):
            began = time.perf_counter()
            rows = page(query, position)
            times.append((time.perf_counter() - began) * 1000)
        cuts = statistics.quantiles(times, n=100, method="inclusive")
        found[name] = {"p50_ms": round(cuts[49], 1), "p95_ms": round(cuts[94], 1), "rows": len(rows)}
print(json.dumps(found))
"""


def filters(
    stage: Stage, admin: psycopg.Connection[Any], environment: dict[str, str], tenants: dict[int, str]
) -> dict[str, Any]:
    """By size, by filter: p50 and p95 of one page with all that its rows say, as the app's role; and the worst of both."""
    found: dict[str, Any] = {}
    for size, tenant in tenants.items():
        seed(admin, tenant, size)
    admin.execute("VACUUM ANALYZE audit_entry, audit_word")
    for size, tenant in tenants.items():
        said = subprocess.run(
            [sys.executable, "-c", PAGE, tenant, str(ROUNDS)], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
        ).stdout  # fmt: skip
        found[str(size)] = json.loads(said.splitlines()[-1])
    small, large = (found[str(size)] for size in (min(tenants), max(tenants)))
    worst = max(one["p95_ms"] for one in large.values())
    return found | {
        "goal_p95_ms": GOAL_MS,
        "worst_p95_ms": worst,
        "holds": worst < GOAL_MS,
        "p50_large_of_small": {name: round(large[name]["p50_ms"] / small[name]["p50_ms"], 2) for name in large},
    }


def seed(admin: psycopg.Connection[Any], tenant: str, size: int) -> None:
    """A log of this size, past the trigger that lets entries wait for the sealer."""
    with admin.transaction():
        admin.execute("SET LOCAL session_replication_role = replica")
        admin.execute(ENTRIES, {"tenant": tenant, "size": size})
        admin.execute(WORDS, {"tenant": tenant})
