"""`isolation`: list and submit with the wall, beside the same code with the wall off, request by request in turn.

Off means: a role that bypasses row-level security, and a backend that binds and signs nothing. Both exist only here: the
role is made for the run, and the backend is patched by a module that no part of the product imports.
"""

from __future__ import annotations

import http.client
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from urllib.parse import quote

import psycopg

from .stage import Stage, free_port, running, wait
from .submit import DATA, FORM

PAIRS = 40
ROUNDS = 3
WARM_UP = 8
FEW, MANY = 10, 10_000
UNWALLED = "orkestra_unwalled"
PASSWORD = "only-for-this-run"
TENANTS = """
    INSERT INTO tenants_tenant SELECT (jsonb_populate_record(NULL::tenants_tenant, to_jsonb(one)
           || jsonb_build_object('id', gen_random_uuid(), 'slug', 'measured-' || n))).*
    FROM (SELECT * FROM tenants_tenant WHERE slug = 'acme') one, generate_series(1, %s) n"""
ROWS = """
    INSERT INTO {table} SELECT (jsonb_populate_record(NULL::{table}, to_jsonb(one)
           || jsonb_build_object('id', gen_random_uuid(), 'tenant_id', t.id))).*
    FROM (SELECT * FROM {table} WHERE tenant_id = (SELECT id FROM tenants_tenant WHERE slug = 'acme') LIMIT 5) one,
         tenants_tenant t WHERE t.slug LIKE 'measured-%'"""


def measure(stage: Stage) -> dict[str, Any]:
    """The median of the rounds' p50, walled and not, among few tenants and among many."""
    editor = stage.token("editor@acme.example", "acme")
    form = stage.ask("POST", "/forms", FORM, editor)["id"]
    stage.ask("POST", f"/forms/{form}/publish", {}, editor)
    found: dict[str, Any] = {"requests_a_round": PAIRS, "rounds": ROUNDS}
    with both(stage) as ports:
        for tenants in (FEW, MANY):
            _fill(stage, tenants)
            for name, method, path, body, expect in (
                ("list", "GET", "/api/v1/submissions", None, 200),
                ("submit", "POST", f"/api/v1/forms/{form}/submissions", {"data": DATA}, 201),
            ):
                made = [_round(stage, ports, method, path, body, expect) for _ in range(ROUNDS)]
                figures = _figures(made)
                found[f"{name}_among_{tenants}_tenants"] = figures
                print(f"{name:<8} {tenants:>6} tenants: {figures}", flush=True)
    found["messages_for_20_statements"] = _messages(stage)
    print(f"messages: {found['messages_for_20_statements']}")
    return found


@contextmanager
def both(stage: Stage) -> Iterator[dict[str, int]]:
    """Two servers of one worker each, on the same database: `walled` and `unwalled`."""
    urls = environment(stage)
    ports = {name: free_port() for name in ("walled", "unwalled")}
    with ExitStack() as stack:
        for name, port in ports.items():
            if name == "unwalled":  # only now: the product refuses to start beside such a member
                _admit_unwalled(stage, urls)
            command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--no-ws"]
            command += ["--port", str(port), "--workers", "1", f"scripts.benchmarks.{name}:application"]
            stack.enter_context(running(command, os.environ | urls | {"UNWALLED_URL": _unwalled(urls)}))
            wait(port, "/healthz/live", any_status=True)
        yield ports


def _admit_unwalled(stage: Stage, urls: dict[str, str]) -> None:
    """Let the role in that bypasses row-level security; make it where it is not there yet."""
    with psycopg.connect(admin_url(stage, urls), autocommit=True) as admin:
        if not admin.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [UNWALLED]).fetchone():
            admin.execute(f"CREATE ROLE {UNWALLED} LOGIN BYPASSRLS INHERIT PASSWORD '{PASSWORD}'")
        admin.execute(f"GRANT CONNECT ON DATABASE orkestra TO {UNWALLED}")
        admin.execute(f"GRANT orkestra_app TO {UNWALLED}")


def _dismiss_unwalled(stage: Stage, urls: dict[str, str]) -> None:
    with psycopg.connect(admin_url(stage, urls), autocommit=True) as admin:
        admin.execute(f"REVOKE orkestra_app FROM {UNWALLED}")


def environment(stage: Stage) -> dict[str, str]:
    """What the supervisor wrote for commands."""
    lines = (stage.home / "run" / "environment").read_text().splitlines()
    written = dict(line.split("=", 1) for line in lines if "=" in line)
    return written | {"ORKESTRA_HOME": str(stage.home), "DJANGO_SETTINGS_MODULE": "orkestra.settings"}


def _unwalled(urls: dict[str, str]) -> str:
    return f"postgresql://{UNWALLED}:{PASSWORD}@/orkestra?{urls['DATABASE_URL'].partition('?')[2]}"


def admin_url(stage: Stage, urls: dict[str, str]) -> str:
    """The superuser's address of the measured database."""
    word = (stage.home / "secrets" / "database-superuser").read_text().strip()
    return f"postgresql://postgres:{quote(word)}@/orkestra?{urls['DATABASE_URL'].partition('?')[2]}"


def _fill(stage: Stage, tenants: int) -> None:
    """So many tenants beside the demo's, each with copies of a few forms and submissions."""
    with psycopg.connect(admin_url(stage, environment(stage)), autocommit=True) as admin:
        admin.execute("SET session_replication_role = replica")
        for table in ("forms_submission", "forms_form"):
            admin.execute(
                f"DELETE FROM {table} WHERE tenant_id IN (SELECT id FROM tenants_tenant WHERE slug LIKE 'measured-%')"
            )
        admin.execute("DELETE FROM tenants_tenant WHERE slug LIKE 'measured-%'")
        admin.execute(TENANTS, [tenants])
        for table in ("forms_form", "forms_submission"):
            admin.execute(ROWS.format(table=table))
        admin.execute("VACUUM ANALYZE")


def _round(
    stage: Stage, ports: dict[str, int], method: str, path: str, body: Any, expect: int
) -> dict[str, list[float]]:
    """The two in turn, and each first every other time; times in milliseconds."""
    headers = {
        "Authorization": f"Bearer {stage.token('editor@acme.example', 'acme')}",
        "Host": f"localhost:{stage.port}",
    }
    headers |= {"Content-Type": "application/json"} if body else {}
    lines = {name: http.client.HTTPConnection("127.0.0.1", port, timeout=30) for name, port in ports.items()}
    times: dict[str, list[float]] = {name: [] for name in ports}
    for number in range(WARM_UP + PAIRS):
        order = list(ports) if number % 2 else list(reversed(ports))
        for name in order:
            started = time.perf_counter()
            lines[name].request(method, path, json.dumps(body) if body else None, headers)
            answer = lines[name].getresponse()
            text = answer.read()
            taken = (time.perf_counter() - started) * 1000
            if answer.status != expect:
                raise RuntimeError(f"{name}: {method} {path} answered {answer.status}: {text[:300]!r}")
            if number >= WARM_UP:
                times[name].append(taken)
    return times


def _figures(rounds: list[dict[str, list[float]]]) -> dict[str, float]:
    medians = {name: [statistics.median(one[name]) for one in rounds] for name in rounds[0]}
    p95 = {name: statistics.median(statistics.quantiles(one[name], n=20)[18] for one in rounds) for name in rounds[0]}
    ratios = sorted(a / b for a, b in zip(medians["walled"], medians["unwalled"], strict=True))
    walled, unwalled = (statistics.median(medians[name]) for name in ("walled", "unwalled"))
    return {
        "p50_walled_ms": round(walled, 3),
        "p50_unwalled_ms": round(unwalled, 3),
        "p95_walled_ms": round(p95["walled"], 3),
        "p95_unwalled_ms": round(p95["unwalled"], 3),
        "added_percent": round((statistics.median(ratios) - 1) * 100, 2),
        "added_percent_lowest_round": round((ratios[0] - 1) * 100, 2),
        "added_percent_highest_round": round((ratios[-1] - 1) * 100, 2),
    }


def _messages(stage: Stage) -> dict[str, int]:
    """Counted by libpq's own trace."""
    urls = environment(stage)
    found = {}
    for name in ("walled", "unwalled"):
        (_admit_unwalled if name == "unwalled" else _dismiss_unwalled)(stage, urls)
        command = [sys.executable, "-m", "scripts.benchmarks.messages", name]
        done = subprocess.run(
            command, env=os.environ | urls | {"UNWALLED_URL": _unwalled(urls)}, capture_output=True, text=True
        )
        if done.returncode:
            raise RuntimeError(done.stderr[-500:])
        found[name] = int(done.stdout)
    return found
