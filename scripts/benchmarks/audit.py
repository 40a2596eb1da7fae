"""`audit`: what the log costs a write, how fast it is sealed, verified and read, each beside its yardstick in one run."""

from __future__ import annotations

import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from .audit_filters import SIZES as FILTERED
from .audit_filters import filters
from .audit_writes import COLUMNS, writes
from .isolation import admin_url, environment
from .stage import ROOT, Stage

RATE, RATE_SECONDS, RATE_BATCH = 5000, 15, 250
SIZES = tuple(int(size) for size in os.environ.get("ORKESTRA_BENCH_ENTRIES", "10000,100000,1000000").split(","))
ACTIONS = ("submission.sent", "submission.decided", "step.opened", "form.changed", "token.issued")
# Their ids sort by time, so that looking costs the server next to nothing.
OLDEST = """
    SELECT extract(epoch FROM clock_timestamp() - e.time) FROM audit_waiting w
    JOIN audit_entry e ON e.tenant_id = w.tenant_id AND e.id = w.id WHERE w.tenant_id = %s ORDER BY w.id LIMIT 1"""
VERIFY = """
import json, os, resource, sys, time
import django
django.setup()
from uuid import UUID
from apps.audit.parallel import in_processes
from apps.audit.verify import verify
from apps.tenants.context import as_system
with as_system(UUID(sys.argv[1])):
    verify(incremental=False, most=1000)
    began = time.perf_counter()
    found = verify(walker=in_processes(int(sys.argv[2])))
    took = time.perf_counter() - began
# Of itself by the kernel's own figure: getrusage counts what its parent held when it was started.
own = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
used = max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
print(json.dumps({"whole": found.whole, "reason": found.reason, "sealed": found.sealed, "seconds": took, "rss_mb": used / 1024}))
"""


def measure(stage: Stage) -> dict[str, Any]:
    """All of it; figures of a machine that others use too are worth little, so the load before is told."""
    found: dict[str, Any] = {"load_average_before": os.getloadavg()[0], "processors": os.cpu_count()}
    with psycopg.connect(admin_url(stage, environment(stage)), autocommit=True) as admin:
        parts: dict[str, Callable[[], Any]] = {
            "writes": lambda: writes(stage, admin, a_tenant(admin)),
            "sealing": lambda: sealing(admin),
            "verifying": lambda: [verifying(stage, admin, size) for size in SIZES],
            "verifying_acts_of_people": lambda: verifying(stage, admin, SIZES[-1] // 4, by_people=True),
            "filters": lambda: filters(
                stage, admin, os.environ | environment(stage), {size: a_tenant(admin) for size in FILTERED}
            ),
        }
        for name in os.environ.get("ORKESTRA_BENCH_PARTS", ",".join(parts)).split(","):
            print(f"{name} …", flush=True)
            found[name] = parts[name]()
    print(json.dumps(found, indent=1))
    return found


def a_tenant(admin: psycopg.Connection[Any]) -> str:
    """One more tenant, like acme in everything but its name."""
    tenant = str(uuid.uuid4())
    admin.execute(
        "INSERT INTO tenants_tenant SELECT (jsonb_populate_record(t, %s::jsonb)).* FROM tenants_tenant t WHERE slug = 'acme'",
        [json.dumps({"id": tenant, "slug": f"m{tenant[:8]}"})],
    )
    return tenant


def entries(tenant: str, count: int, start: datetime, *, by_people: bool = False) -> Any:
    """Rows of realistic entries: a job's, about one object, or those of people, most about two and from an address."""
    actors = [str(uuid.uuid4()) for _ in range(50)]
    targets = [str(uuid.uuid4()) for _ in range(1000)]
    for number in range(count):
        moment = start + timedelta(milliseconds=number)
        entry, action, actor, target = (
            str(uuid7(moment)),
            ACTIONS[number % 5],
            actors[number % 50],
            targets[number % 1000],
        )
        label, request = f"PR-2026-{number % 1000:05d}", str(uuid.UUID(int=number))
        document: dict[str, Any] = {
            "v": 1, "log": tenant, "id": entry, "time": moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), "action": action,
            "actor": {"type": "member", "id": actor}, "impersonator": None, "credential": "session",
            "targets": [{"type": "submission", "id": target, "label": label}], "outcome": "done",
            "request_id": request, "facts": {"revision": 1, "sha256": hashlib.sha256(entry.encode()).hexdigest()},
        }  # fmt: skip
        if by_people and number % 10 < 7:
            document["targets"].append({"type": "revision", "id": str(uuid.UUID(int=number)), "label": ""})
        if by_people and number % 10 < 8:
            document["private"] = [{"name": name, "commitment": hashlib.sha256(f"{number}{name}".encode()).hexdigest()}
                                   for name in ("address", "agent")]  # fmt: skip
        body = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
        yield tenant, entry, moment, action, "member", actor, "submission", target, label, "done", request, body


def uuid7(moment: datetime) -> uuid.UUID:
    number = int(moment.timestamp() * 1000) << 80 | 7 << 76 | (int.from_bytes(os.urandom(10)) & ((1 << 76) - 1))
    return uuid.UUID(int=number & ~(3 << 62) | 2 << 62)


def fill(admin: psycopg.Connection[Any], rows: Any) -> None:
    with admin.cursor() as cursor, cursor.copy(f"COPY audit_entry ({COLUMNS}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def sealing(admin: psycopg.Connection[Any]) -> dict[str, Any]:
    """RATE entries a second for a while, beside the running worker; the age of the oldest unsealed one all along."""
    tenant = a_tenant(admin)
    ages: list[float] = []
    halt = threading.Event()
    url = admin.info.dsn + f" password={admin.info.password}"

    def watch() -> None:
        with psycopg.connect(url, autocommit=True) as other:
            while not halt.wait(0.05):
                row = other.execute(OLDEST, [tenant]).fetchone()
                ages.append(float(row[0]) if row else 0.0)

    watcher = threading.Thread(target=watch)
    watcher.start()
    began, sent = time.perf_counter(), 0
    while time.perf_counter() - began < RATE_SECONDS:
        fill(admin, entries(tenant, RATE_BATCH, datetime.now(UTC)))
        sent += RATE_BATCH
        time.sleep(max(0.0, began + sent / RATE - time.perf_counter()))
    took = time.perf_counter() - began
    while admin.execute("SELECT 1 FROM audit_waiting WHERE tenant_id = %s LIMIT 1", [tenant]).fetchone():
        time.sleep(0.05)
    halt.set()
    watcher.join()
    return {
        "entries": sent,
        "written_per_second": round(sent / took),
        "caught_up_after_seconds": round(time.perf_counter() - began - took, 2),
        "oldest_unsealed_seconds": {"p50": cut(ages, 50), "p99": cut(ages, 99), "max": round(max(ages), 3)},
    }


def cut(values: list[float], at: int) -> float:
    return round(statistics.quantiles(values, n=100, method="inclusive")[at - 1], 3)


def verifying(stage: Stage, admin: psycopg.Connection[Any], size: int, *, by_people: bool = False) -> dict[str, Any]:
    """A log of this size: sealed, verified from PostgreSQL and from a file, and its tree built by pymerkle."""
    tenant = a_tenant(admin)
    fill(admin, entries(tenant, size, datetime(2026, 1, 1, tzinfo=UTC), by_people=by_people))
    began = time.perf_counter()
    while admin.execute("SELECT 1 FROM audit_waiting WHERE tenant_id = %s LIMIT 1", [tenant]).fetchone():
        time.sleep(0.05)
    sealed = time.perf_counter() - began
    admin.execute("VACUUM ANALYZE audit_entry, audit_seal")
    found: dict[str, Any] = {"entries": size, "worker_sealed_per_second": round(size / max(sealed, 0.001))}
    for processes in (1, 2):
        command = [sys.executable, "-c", VERIFY, tenant, str(processes)]
        said = subprocess.run(
            command, cwd=ROOT, env=os.environ | environment(stage), capture_output=True, text=True, check=True
        ).stdout
        one = json.loads(said.splitlines()[-1])
        if not one["whole"] or one["sealed"] != size:
            raise RuntimeError(f"The measured log is not whole: {one}")
        found[f"database_{processes}_processes"] = {
            "per_second": round(size / one["seconds"]),
            "rss_mb": round(one["rss_mb"]),
        }
    bodies = [bytes(row[0]) for row in admin.execute(
        "SELECT e.body FROM audit_seal s JOIN audit_entry e ON e.tenant_id = s.tenant_id AND e.id = s.entry_id"
        " WHERE s.tenant_id = %s ORDER BY s.seq", [tenant])]  # fmt: skip
    found["bytes_each"] = sum(map(len, bodies)) // size
    found["standalone"] = standalone(bodies)
    found["pymerkle"] = pymerkle_builds(bodies[: min(size, 100_000)])
    return found | {"tenant": tenant}


def standalone(bodies: list[bytes]) -> dict[str, Any]:
    """scripts/orkestra_verify.py over a bundle of these entries."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from apps.audit import keys, note, tree
    from apps.audit.statements import Head

    state, key = tree.CompactRange(), Ed25519PrivateKey.generate()
    for body in bodies:
        state.append(tree.leaf_hash(body))
    origin, public = "measured/audit/one", note.raw_public(key.public_key())
    checkpoint = note.sign(Head(origin, state.size, state.root()).text(), [note.Signer(origin, key)])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bundle.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as made:
            made.writestr("checkpoint.txt", checkpoint)
            made.writestr("keys.txt", note.verifier_key(origin, public) + "\n")
            made.writestr("entries.jsonl", b"".join(body + b"\n" for body in bodies))
        command = [
            sys.executable,
            "-c",
            RESOURCES,
            str(ROOT / "scripts" / "orkestra_verify.py"),
            str(path),
            "--key",
            keys.fingerprint(public),
        ]
        said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        one = json.loads(said.splitlines()[-1])
    return {"per_second": round(len(bodies) / one["seconds"]), "rss_mb": round(one["rss_mb"]), "with_start": True}


RESOURCES = """
import json, resource, subprocess, sys, time
began = time.perf_counter()
done = subprocess.run([sys.executable, *sys.argv[1:]], capture_output=True, text=True)
took = time.perf_counter() - began
assert done.returncode == 3 and "no proof that this checkpoint" in done.stdout, done.stdout + done.stderr
print(json.dumps({"seconds": took, "rss_mb": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024}))
"""


def pymerkle_builds(bodies: list[bytes]) -> dict[str, Any]:
    """The same tree by pymerkle, in memory."""
    import pymerkle

    began = time.perf_counter()
    pymerkle.InmemoryTree.init_from_entries(bodies, algorithm="sha256").get_root()
    return {"entries": len(bodies), "per_second": round(len(bodies) / (time.perf_counter() - began))}
