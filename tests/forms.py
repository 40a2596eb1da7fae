"""Small forms and paths for tests."""

from __future__ import annotations

from typing import Any

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "item": {"type": "string", "title": "Item", "maxLength": 100},
        "total": {"type": "integer", "title": "Total", "minimum": 1},
        "quotes": {"type": "array", "title": "Quotes", "items": {"type": "string", "format": "attachment"}},
    },
    "required": ["item", "total"],
}


def body(*steps: dict[str, Any], slug: str = "request") -> dict[str, Any]:
    """A form of the API's contract with these steps."""
    return {"title": "Request", "slug": slug, "schema": SCHEMA, "path": {"steps": list(steps)}}


def step(key: str, *people: Any, kind: str = "any", **more: Any) -> dict[str, Any]:
    """A step that asks these members."""
    approvers = [{"type": "user", "id": str(person.pk)} for person in people]
    return {"key": key, "name": key.title(), "approvers": approvers, "quorum": {"kind": kind}, **more}


def published(api: Any, owner: Any, *steps: dict[str, Any], slug: str = "request") -> str:
    """The id of a form that this member made and published through the API."""
    made = api.as_(owner).post("/api/v1/forms", body(*steps, slug=slug))
    assert made.status_code == 201, made.json()
    assert api.as_(owner).post(f"/api/v1/forms/{made.json()['id']}/publish").status_code == 201
    return str(made.json()["id"])
