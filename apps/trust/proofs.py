"""The last run of scripts/prove-isolation, as it was shipped with this code."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

REPORT = Path(__file__).resolve().parents[2] / "docs" / "proofs" / "isolation.json"


@dataclass(frozen=True)
class IsolationProof:
    """What the run showed, of which code and when."""

    date: datetime
    commit: str
    version: str
    holds: bool
    relations_covered: int
    relations_total: int
    cells: int
    foreign_rows: int
    mutants_killed: int
    mutants_total: int
    load_requests: int
    load_wrong_rows: int


def isolation(report: Path = REPORT) -> IsolationProof | None:
    """The figures of the report; None where there is none that can be read, which a page must say."""
    try:
        found = json.loads(report.read_text(encoding="utf-8"))
        catalogue, mutants, load = (found["sections"][name] for name in ("catalogue", "mutants", "load"))
        return IsolationProof(
            date=datetime.fromisoformat(found["date"]),
            commit=found["commit"],
            version=found["version"],
            holds=found["holds"] is True,
            relations_covered=catalogue["relations_covered"],
            relations_total=catalogue["relations_total"],
            cells=catalogue["cells"],
            foreign_rows=catalogue["foreign_rows"],
            mutants_killed=mutants["killed"],
            mutants_total=mutants["total"],
            load_requests=sum(run["requests"] for run in load.values()),
            load_wrong_rows=sum(run["wrong_rows"] for run in load.values()),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
