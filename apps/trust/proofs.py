"""The last run of scripts/prove-isolation, as it was shipped with this code."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

REPORT = Path(__file__).resolve().parents[2] / "docs" / "proofs" / "isolation.json"


@dataclass(frozen=True)
class IsolationProof:
    """What the run showed, of which code and when.

    `is_exact_commit` is false where files were changed beside the commit; `red` counts what did not hold. A report of a
    version without doors or matrix has None there.
    """

    date: datetime
    commit: str
    is_exact_commit: bool
    version: str
    holds: bool
    red: int
    relations_covered: int
    relations_total: int
    cells: int
    foreign_rows: int
    mutants_killed: int
    mutants_total: int
    load_requests: int
    load_wrong_rows: int
    doors_killed: int | None = None
    doors_total: int | None = None
    matrix_routes: int | None = None
    matrix_requests: int | None = None
    matrix_leaks: int | None = None

    @property
    def key(self) -> str:
        return "holds" if self.holds else "broken"

    @property
    def short_commit(self) -> str:
        return self.commit[:12]


def isolation(report: Path | None = None) -> IsolationProof | None:
    """The figures of the report; None where there is none that can be read, which a page must say."""
    try:
        found = json.loads((report or REPORT).read_text(encoding="utf-8"))
        sections = found["sections"]
        catalogue, mutants, load = (sections[name] for name in ("catalogue", "mutants", "load"))
        doors, matrix = sections.get("doors", {}), sections.get("matrix", {})
        return IsolationProof(
            date=datetime.fromisoformat(found["date"]),
            commit=str(found["commit"]),
            is_exact_commit=found["is_exact_commit"] is True,
            version=str(found["version"]),
            holds=found["holds"] is True and not found["red"],
            red=len(found["red"]),
            relations_covered=catalogue["relations_covered"],
            relations_total=catalogue["relations_total"],
            cells=catalogue["cells"],
            foreign_rows=catalogue["foreign_rows"],
            mutants_killed=mutants["killed"],
            mutants_total=mutants["total"],
            load_requests=sum(run["requests"] for run in load.values()),
            load_wrong_rows=sum(run["wrong_rows"] for run in load.values()),
            doors_killed=doors.get("killed"),
            doors_total=doors.get("total"),
            matrix_routes=matrix.get("routes"),
            matrix_requests=matrix.get("requests"),
            matrix_leaks=matrix.get("leaks"),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
