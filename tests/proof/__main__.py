"""`scripts/prove-isolation`: attack the wall in full, and write what it showed below docs/proofs.

Each section is a function that returns its figures, lines for a reader, and what is red; another part of the wall is
proved by adding one. Needs the servers and the environment that the script starts.
"""

from __future__ import annotations

import json
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
        "relations_without_a_tenants_rows": len(ring.relations) - total.relations,
        "cells": total.cells,
        "foreign_rows": total.foreign_rows,
        "cells_of_roles_that_read_across": total.across,
        "answers": dict(sorted(total.states.items())),
    }
    lines = [
        f"{total.relations} of {len(ring.relations)} relations hold rows of a tenant; each was attacked by select, copy, "
        "insert, update and delete as each of five roles, unbound, with a bare id, expired, forged, and as a rival.",
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


SECTIONS: dict[str, Callable[[], Section]] = {"mutants": mutants, "load": load, "catalogue": catalogue}


def main() -> int:
    """0 when nothing is red; the report is written in any case."""
    django.setup()
    from tests import database

    database.make(DATABASE)
    found: dict[str, Section] = {}
    try:
        for name, run in SECTIONS.items():
            print(f"{name} …", flush=True)
            found[name] = run()
            print("\n".join(f"  {line}" for line in [*found[name].lines, *found[name].red]), flush=True)
    finally:
        database.drop(DATABASE)
    _write(found)
    return 1 if any(section.red for section in found.values()) else 0


def _write(found: dict[str, Section]) -> None:
    about = {
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "commit": _git("rev-parse", "HEAD"),
        "is_exact_commit": not _git("status", "--porcelain", "--untracked-files=no"),
        "version": tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"],
    }
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
    sys.exit(main())
