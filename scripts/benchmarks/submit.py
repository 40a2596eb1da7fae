"""`submit`: POST /forms/{id}/submissions beside a bare insert by Django REST framework."""

from __future__ import annotations

from typing import Any

from .load import Call, Figures, run
from .stage import Stage

CLIENTS = 8
REQUESTS = 1600
ROUNDS = 3
WARM_UP = 80
DATA = {"item": "Two spindle assemblies", "quantity": 2, "reason": "Both run outside tolerance since September."}
FORM: dict[str, Any] = {
    "title": "Measured request",
    "slug": "measured-request",
    "schema": {
        "type": "object",
        "properties": {
            "item": {"type": "string", "maxLength": 200},
            "quantity": {"type": "integer", "minimum": 1},
            "reason": {"type": "string", "maxLength": 2000},
        },
        "required": ["item", "quantity"],
        "additionalProperties": False,
    },
    "path": {
        "steps": [
            {"key": "owner", "name": "Owner", "approvers": [{"type": "role", "id": "owner"}], "quorum": {"kind": "any"}}
        ]
    },
}


def measure(stage: Stage) -> dict[str, Any]:
    """Ours and the yardstick in turn; the median round of each counts."""
    editor = stage.token("editor@acme.example", "acme")
    form = stage.ask("POST", "/forms", FORM, editor)
    stage.ask("POST", f"/forms/{form['id']}/publish", {}, editor)
    yardstick = Call(stage.yardstick_port, "/rows", {"data": DATA})
    rounds: list[tuple[Figures, Figures]] = []
    for number in range(ROUNDS + 1):
        token = stage.token("editor@acme.example", "acme")
        headers = {"Authorization": f"Bearer {token}"}
        ours = Call(stage.port, f"/api/v1/forms/{form['id']}/submissions", {"data": DATA}, headers)
        count = REQUESTS if number else WARM_UP
        pair = (run(ours, clients=CLIENTS, requests=count), run(yardstick, clients=CLIENTS, requests=count))
        if number:
            rounds.append(pair)
    mine = sorted((pair[0] for pair in rounds), key=lambda figures: figures.per_second)[ROUNDS // 2]
    bare = sorted((pair[1] for pair in rounds), key=lambda figures: figures.per_second)[ROUNDS // 2]
    print(mine.line("submit"))
    print(bare.line("bare DRF insert"))
    print(f"{'ratio':<24} {mine.per_second / bare.per_second:9.2f}    p50 {mine.p50 / bare.p50:7.2f}")
    return {
        "clients": CLIENTS,
        "requests_a_round": REQUESTS,
        "rounds": ROUNDS,
        "submit": mine.as_json(),
        "bare_insert": bare.as_json(),
        "ratio_per_second": round(mine.per_second / bare.per_second, 3),
        "all_rounds": [{"submit": a.as_json(), "bare_insert": b.as_json()} for a, b in rounds],
    }
