"""The API's description (OpenAPI) says of every operation how it refuses, since all refusals are alike."""

from __future__ import annotations

from typing import Any

PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "Problem details (RFC 9457) with our own `code` and the id of the request.",
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "request_id": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
                "required": ["field", "message"],
            },
        },
    },
    "required": ["type", "title", "status", "detail", "code", "request_id"],
}
ALWAYS = {
    "400": "What was sent does not hold; `errors` names each place.",
    "401": "No credential, one that has ended, or one that is too old for this act.",
    "403": "Seen, and not allowed.",
    "404": "Nothing here, or nothing that you may see.",
    "405": "This address does not take that method.",
    "406": "No answer in the form that was asked for.",
    "413": "Too large.",
    "429": "Too many requests; try again after Retry-After seconds.",
    "503": "A part that we need is not answering; try again after Retry-After seconds.",
}
WRITES = {
    "402": "Over a quota, after a trial, or beyond a budget.",
    "409": "Stale, or decided already.",
    "415": "The body is in a form that is not taken here.",
}


def describe_refusals(result: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    """drf-spectacular's postprocessing hook: adds the refusals that an operation does not describe itself."""
    result.setdefault("components", {}).setdefault("schemas", {})["Problem"] = PROBLEM_SCHEMA
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for methods in result.get("paths", {}).values():
        for method, operation in methods.items():
            texts = ALWAYS if method in {"get", "head"} else ALWAYS | WRITES
            for status, text in texts.items():
                operation["responses"].setdefault(status, {"description": text, "content": content})
    return result
