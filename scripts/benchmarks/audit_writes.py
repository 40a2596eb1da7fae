"""What an entry costs a write, beside the same write without one and one in a chain whose head is locked until commit.

Three kinds of write: the product's own (a submission over HTTP), a transaction with ten milliseconds of other work, and
the least there is, one inserted row, beside which nothing looks cheap.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg

from .isolation import admin_url, environment
from .load import Call, run
from .stage import Stage, free_port, running, wait
from .submit import DATA, FORM

CLIENTS, ROUNDS, SECONDS, WORKERS = 16, 3, 6, 2
# Submissions take longer, and the worker has a job each half minute and each minute: many turns, so that all meet it.
REQUESTS, TURNS = 320, 8
WAYS = ("without", "audited", "inline")
COLUMNS = "tenant_id,id,time,action,actor_type,actor_id,target_type,target_id,target_label,outcome,request_id,body"
ROW = "INSERT INTO yardstick.write (tenant, data) VALUES ('{tenant}', repeat('x', 400));"
MORE_WORK = "SELECT pg_sleep(0.01);"
ENTRY = (
    f"INSERT INTO audit_entry ({COLUMNS}) VALUES ('{{tenant}}', gen_random_uuid(), now(), 'form.changed', 'member', NULL, 'form',"
    " NULL, 'x', 'done', '', convert_to('{{\"action\":\"form.changed\",\"facts\":\"' || repeat('y', 400) || '\"}}', 'UTF8'));"
)
LOCK = "SELECT chain FROM yardstick.head WHERE tenant = '{tenant}' FOR UPDATE;"
CHAIN = "UPDATE yardstick.head SET chain = sha256(chain || sha256(repeat('y', 450)::bytea)) WHERE tenant = '{tenant}';"
TABLES = """
    CREATE TABLE yardstick.write (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tenant uuid, data text);
    CREATE TABLE yardstick.head (tenant uuid PRIMARY KEY, chain bytea);
    GRANT SELECT, UPDATE ON yardstick.head TO orkestra_app"""


def writes(stage: Stage, admin: psycopg.Connection[Any], tenant: str) -> dict[str, Any]:
    """Each kind of write in its three ways, turn by turn."""
    admin.execute(TABLES)
    admin.execute("INSERT INTO yardstick.head SELECT id, sha256('') FROM tenants_tenant")
    row, inline = ["BEGIN;", ROW], [LOCK, ENTRY, CHAIN]
    rare = ["BEGIN;", ROW, MORE_WORK]
    found = {
        "clients": CLIENTS,
        "submission": submissions(stage),
        "ten_milliseconds_more": sql_writes(stage, admin, tenant, rare, ["BEGIN;", ROW, *inline, MORE_WORK]),
        "one_row": sql_writes(stage, admin, tenant, row, [*row, *inline]),
    }
    for name, one in found.items():
        print(f"{name}: {one}", flush=True)
    return found


def sql_writes(
    stage: Stage, admin: psycopg.Connection[Any], tenant: str, bare: Sequence[str], inline: Sequence[str]
) -> dict[str, Any]:
    """By pgbench, as superuser for all three: the policies are left out of all alike."""
    from orkestra.runtime.home import find
    from orkestra.runtime.postgres import binaries

    program = binaries(find(os.environ | environment(stage))) / "pgbench"
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "write.sql"

        def one(way: str) -> float:
            lines = {"without": bare, "audited": [*bare, ENTRY], "inline": inline}[way]
            script.write_text("\n".join([*lines, "COMMIT;"]).format(tenant=tenant) + "\n")
            command = [str(program), "-n", "-c", str(CLIENTS), "-j", "2", "-T", str(SECONDS), "-f", str(script)]
            url = admin_url(stage, environment(stage))
            said = subprocess.run([*command, url], capture_output=True, text=True, check=True).stdout
            admin.execute("DELETE FROM audit_waiting WHERE tenant_id = %s", [tenant])
            return float(said.split("tps = ")[1].split()[0])

        return compared(one, ROUNDS)


def submissions(stage: Stage) -> dict[str, Any]:
    """By HTTP, from sign-in to commit, of one tenant, at servers that differ in nothing but what recording does."""
    editor = stage.token("editor@acme.example", "acme")
    form = stage.ask("POST", "/forms", FORM | {"slug": "measured-writes"}, editor)["id"]
    stage.ask("POST", f"/forms/{form}/publish", {}, editor)
    with servers(stage) as ports:

        def one(way: str) -> float:
            token = stage.token("editor@acme.example", "acme")
            headers = {"Authorization": f"Bearer {token}", "Host": f"localhost:{stage.port}"}
            call = Call(ports[way], f"/api/v1/forms/{form}/submissions", {"data": DATA}, headers)
            return run(call, clients=CLIENTS, requests=REQUESTS).per_second

        for way in WAYS:
            one(way)
        return compared(one, TURNS)


@contextmanager
def servers(stage: Stage) -> Iterator[dict[str, int]]:
    """One server for each way, of as many workers and threads as the product's: each thread keeps a connection."""
    from orkestra.runtime.supervisor import WEB_THREADS

    ports = {way: free_port() for way in WAYS}
    with ExitStack() as stack:
        for way, port in ports.items():
            command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--no-ws"]
            command += ["--port", str(port), "--workers", str(WORKERS), "--blocking-threads", str(WEB_THREADS)]
            command += ["scripts.benchmarks.recording:application"]
            stack.enter_context(running(command, os.environ | environment(stage) | {"ORKESTRA_BENCH_RECORDING": way}))
            wait(port, "/healthz/live", any_status=True)
        yield ports


def compared(one: Callable[[str], float], rounds: int) -> dict[str, Any]:
    """The three ways in turn, each round begun by another, and how the audited one stands beside the others.

    The median round counts.
    """
    found: dict[str, list[float]] = {way: [] for way in WAYS}
    for number in range(rounds):
        first = number % len(WAYS)
        for way in WAYS[first:] + WAYS[:first]:
            found[way].append(round(one(way), 1))
    middle = {way: statistics.median(figures) for way, figures in found.items()}
    return {
        "per_second": middle,
        "audited_of_without": round(middle["audited"] / middle["without"], 3),
        "audited_of_inline": round(middle["audited"] / middle["inline"], 2),
        "rounds": found,
    }
