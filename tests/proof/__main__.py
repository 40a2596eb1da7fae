"""`scripts/prove-isolation`: attack the wall in full, and write what it showed below docs/proofs.

Each section is a function that returns its figures, lines for a reader, and what is red; another part of the wall is
proved by adding one. Needs the servers and the environment that the script starts.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import django

ROOT = Path(__file__).resolve().parents[2]
DATABASE = "orkestra_proof"
SEED = 20261124
FEW = 3


@dataclass
class Section:
    """What one part of the proof showed."""

    figures: dict[str, Any]
    lines: list[str]
    red: list[str] = field(default_factory=list)


def catalogue() -> Section:
    """Every cell of every relation, in a session of each role."""
    from . import cells
    from .arena import sessions

    total = cells.Result()
    with sessions(DATABASE) as ring:
        for table in ring.attacked:
            total.add(cells.attack(ring, table))
            total.red += cells.controls(ring, table)
    figures = {
        "relations_covered": total.relations,
        "relations_total": len(ring.relations),
        "relations_without_policies": len(ring.relations) - total.relations,
        "cells": total.cells,
        "foreign_rows": total.foreign_rows,
        "cells_of_roles_that_read_across": total.across,
        "answers": dict(sorted(total.states.items())),
    }
    lines = [
        f"{total.relations} of {len(ring.relations)} relations have policies; each was attacked by select, copy, insert, "
        "update and delete, unbound, with a bare id, expired, forged, and as a rival: the tenants' as each of five roles, "
        "those of people, tokens and sessions as the four that work. The others have none; what they hold stands in "
        "apps/tenants/globals.py, and the queue of jobs is one of them, with ids of every tenant's.",
        f"{total.cells} cells run, {total.foreign_rows} foreign rows read or changed; {total.across} cells are reads of "
        "roles that read across tenants by declaration.",
    ]
    return Section(figures, lines, total.red)


def mutants() -> Section:
    """Each policy dropped and opened, each FORCE, manager filter and foreign key's tenant part taken out in turn."""
    from . import cells
    from . import mutants as stones
    from .arena import arena

    killers: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    alive = []
    with arena() as ring:
        # With nothing taken out nothing is red, or a mutant would be noticed for the wrong reason.
        whole = [line for table in ring.attacked for line in cells.everything(ring, table).red]
        for mutant in stones.all_mutants(ring):
            killer = stones.killed_by(ring, mutant)
            kinds[mutant.kind] += 1
            killers[killer] += 1
            alive += [] if killer else [str(mutant)]
    total = sum(kinds.values())
    figures = {
        "total": total,
        "killed": total - len(alive),
        "killed_by_cells": killers["cells"],
        "killed_by_the_catalogue_check_alone": killers["catalogue"],
        "kinds": dict(sorted(kinds.items())),
        "alive": alive,
    }
    lines = [
        f"{total - len(alive)} of {total} mutants were noticed, {killers['catalogue']} of them by the catalogue check alone "
        "(a stone whose loss lets nobody through while the grants stand)."
    ]
    return Section(figures, lines, [*whole, *(f"alive: {name}" for name in alive)])


def load() -> Section:
    """Many clients of many tenants over two connections of PgBouncer, in both ways to bind."""
    from django.db import connection

    from . import load as run
    from .pooler import pooler, through

    figures, lines, red = {}, [], []
    for mode in ("statement", "transaction"):
        connection.settings_dict["BIND_MODE"] = mode
        requests = run.REQUESTS if mode == "statement" else run.REQUESTS // 5
        with run.tenants(run.TENANTS) as keys, pooler(servers=run.SERVERS) as made, through(made):
            found = run.run(keys, clients=run.CLIENTS, requests=requests, seed=SEED)
            said = made.pools(DATABASE)
            found.server_connections = sum(int(said[key]) for key in ("sv_active", "sv_idle", "sv_used"))
        figures[mode] = found.as_json()
        lines.append(
            f"Bind mode {mode}: {found.requests} requests of {found.clients} clients for {found.tenants} tenants over "
            f"{found.server_connections} connections; {found.rows} rows looked at, {found.wrong_rows} of another tenant."
        )
        if found.wrong_rows or found.incomplete or found.errors or found.requests < requests - run.CLIENTS:
            red.append(f"load in mode {mode}: {found.as_json()}")
    connection.settings_dict["BIND_MODE"] = "statement"
    return Section(figures, lines, red)


def _how(killer: str, table: str, behind: set[str]) -> str:
    """In which way a missing guard was noticed; empty for not at all."""
    if killer in behind:
        return "behind"
    return "table" if killer.endswith(table) else "requests" if killer else ""


def doors() -> Section:
    """Each guard of each door taken out in turn; the cells of its own route must turn red."""
    from . import doors as guards
    from .staged import demo

    killers: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    alive = []
    with demo() as cast:
        people = guards.People.of(cast)
        cells, whole = guards.red_without_mutants(people)
        for mutant in guards.all_mutants():
            killer = guards.killed_by(mutant, people)
            kinds[mutant.kind] += 1
            killers[_how(killer, guards.IN_THE_TABLE, set(guards.BEHIND.values()))] += 1
            alive += [] if killer else [str(mutant)]
    total = sum(kinds.values())
    figures = {
        "cells": cells,
        "total": total,
        "killed": total - len(alive) - killers["behind"],
        "another_guard_refuses_still": killers["behind"],
        "killed_by_requests": killers["requests"],
        "killed_by_the_table_alone": killers["table"],
        "kinds": dict(sorted(kinds.items())),
        "alive": alive,
    }
    lines = [
        f"{cells} requests at every address of every door were answered as the table says. "
        f"{total - len(alive) - killers['behind']} of {total} guards that were taken out were noticed, {killers['table']} of them by the table alone (an address that is in no "
        f"rule is not found, which looks the same from outside); behind {killers['behind']} another stands and refuses still."
    ]
    return Section(figures, lines, [*whole, *(f"alive: {name}" for name in alive)])


def matrix() -> Section:
    """Every route, method and person, with another tenant's ids in every place; each id for owners, the three most fitting for others."""
    from apps.accounts.models import User
    from tests import cast

    from . import matrix as urls
    from .staged import demo

    total = urls.Result()
    persons = {}
    with demo() as people:
        victim, rival = urls.Victim(people.acme("owner")), cast.company("rival")
        before = victim.fingerprint()
        for person in urls.people(rival, User.objects.get(email="admin@orkestra.example")):
            found = urls.attack(person, victim, rival.slug, ids=None if "owner" in person.name else FEW)
            persons[person.name] = found.requests
            total.add(found)
        after = victim.fingerprint()
    changed = sorted(table for table in after if after[table] != before[table])
    figures = {
        "routes": len(total.routes),
        "ids": len(victim.ids),
        "requests": total.requests,
        "leaks": len(total.red),
        "tables_changed": changed,
        "persons": persons,
        "answers": {str(status): count for status, count in sorted(total.answers.items())},
    }
    lines = [
        f"{len(total.routes)} routes by every method as {len(persons)} people whose tenant it is not, with real ids of another in "
        f"addresses, filters, cursors, bodies and lists, all {len(victim.ids)} as an owner and the {FEW} most fitting as the others: "
        f"{total.requests} requests, "
        f"{len(total.red)} of them gave something away, {len(changed)} tables of that tenant changed."
    ]
    hollow = [] if total.answers[200] else ["matrix: nobody could do a thing"]
    return Section(figures, lines, [*total.red, *(f"changed: {table}" for table in changed), *hollow])


def speed() -> Section:
    """p50 and p95 of list and submit with the wall and without, by `scripts/bench isolation`; figures, and never red by them."""
    ours = ("ORKESTRA_", "DATABASE_", "REDIS_URL", "EMAIL_URL")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
    done = subprocess.run(
        [sys.executable, "-m", "scripts.benchmarks", "isolation"], cwd=ROOT, env=environment, check=False
    )
    if done.returncode:
        return Section({}, ["It could not be measured."], [f"speed: the bench ended with {done.returncode}"])
    measured = json.loads((ROOT / "docs" / "performance" / "isolation.json").read_text())
    figures = {key: value for key, value in measured.items() if key.startswith(("list_", "submit_", "messages_"))}
    lines = [
        "Each p50 and p95 is the median of the rounds', and the percentage the median of the rounds' own ratios, so that one "
        "does not follow from the others. Measured in this run; docs/performance/isolation.json may be of a later one, on another "
        "machine.",
    ] + [
        f"{name.replace('_', ' ')}: p50 {one['p50_walled_ms']} ms with the wall and {one['p50_unwalled_ms']} without, "
        f"p95 {one['p95_walled_ms']} and {one['p95_unwalled_ms']} ({one['added_percent']:+} % at p50, the median of {measured['rounds']} rounds)."
        for name, one in figures.items()
        if "p50_walled_ms" in one
    ]
    return Section(figures, lines)


SECTIONS: dict[str, Callable[[], Section]] = {
    "mutants": mutants,
    "load": load,
    "catalogue": catalogue,
    "doors": doors,
    "matrix": matrix,
    "speed": speed,
}


def main(names: list[str]) -> int:
    """0 when nothing is red, 2 for a section that is not known. The report is written by a run of all sections alone."""
    if unknown := [name for name in names if name not in SECTIONS]:
        print(f"Not known: {', '.join(unknown)}. There are: {', '.join(SECTIONS)}.", file=sys.stderr)
        return 2
    about = _about()  # before anything is written
    django.setup()
    for noisy in ("orkestra.access", "apps", "django.request"):
        logging.getLogger(noisy).setLevel("CRITICAL")
    from tests import database

    database.make(DATABASE)
    found: dict[str, Section] = {}
    try:
        for name in names or SECTIONS:
            print(f"{name} …", flush=True)
            found[name] = SECTIONS[name]()
            print("\n".join(f"  {line}" for line in [*found[name].lines, *found[name].red]), flush=True)
    finally:
        database.drop(DATABASE)
    if not names:
        _write(about, found)
        print("Commit docs/proofs/isolation.* and, as measured in this run, docs/performance/isolation.json.")
    return 1 if any(section.red for section in found.values()) else 0


def _about() -> dict[str, Any]:
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "commit": _git("rev-parse", "HEAD"),
        "is_exact_commit": not _git("status", "--porcelain", "--untracked-files=no"),
        "version": tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"],
    }


def _write(about: dict[str, Any], found: dict[str, Section]) -> None:
    red = [line for section in found.values() for line in section.red]
    document = about | {
        "holds": not red,
        "sections": {name: section.figures for name, section in found.items()},
        "red": red,
    }
    folder = ROOT / "docs" / "proofs"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "isolation.json").write_text(json.dumps(document, indent=2) + "\n")
    text = [
        "# Proof of isolation",
        "",
        f"Written by `scripts/prove-isolation` on {about['date']}, version {about['version']}, commit `{about['commit']}`"
        + ("." if about["is_exact_commit"] else ", with changes that were not committed."),
        "What no run can show stands in [the threat model](../threat-model.md).",
    ]
    for name, section in found.items():
        text += ["", f"## {name.capitalize()}", "", *section.lines]
        text += ["", *(f"- RED: {line}" for line in section.red)] if section.red else []
    (folder / "isolation.md").write_text("\n".join(text) + "\n")


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
