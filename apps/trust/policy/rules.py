"""What of a report is believed: its directive, the kind of thing that was blocked, and which of our routes it was."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

LARGEST_BYTES = 16 * 1024
LARGEST_BATCH = 20
LONGEST_BLOCKED = 120
MEDIA_TYPES = frozenset({"application/csp-report", "application/reports+json"})
EXTENSIONS = ("chrome-extension", "moz-extension", "safari-extension", "safari-web-extension", "ms-browser-extension")
DIRECTIVES = frozenset(
    {
        "base-uri", "child-src", "connect-src", "default-src", "font-src", "form-action", "frame-ancestors", "frame-src",
        "img-src", "manifest-src", "media-src", "object-src", "require-trusted-types-for", "sandbox", "script-src",
        "script-src-attr", "script-src-elem", "style-src", "style-src-attr", "style-src-elem", "trusted-types",
        "worker-src",
    }
)  # fmt: skip
WORD = re.compile(r"[a-z-]{1,40}\Z")
HOST = re.compile(r"[a-z0-9.-]{1,80}(:[0-9]{1,5})?\Z")


@dataclass(frozen=True)
class Violation:
    """One report, reduced to what is kept; `page` is a route."""

    page: str
    directive: str
    blocked: str


def bodies(media_type: str, content: bytes) -> list[Mapping[str, Any]]:
    """The reports in a request body, in either format; nothing where it cannot be read."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return []
    if media_type == "application/csp-report":
        single = found.get("csp-report") if isinstance(found, dict) else None
        return [single] if isinstance(single, dict) else []
    batch = found if isinstance(found, list) else []
    named = [one for one in batch[:LARGEST_BATCH] if isinstance(one, dict) and one.get("type") == "csp-violation"]
    return [one["body"] for one in named if isinstance(one.get("body"), dict)]


def understood(body: Mapping[str, Any], *, host: str, route: Callable[[str], str]) -> Violation | None:
    """What the report says, or None for one that is not about a page of ours or comes from a browser's extension."""
    page = urlsplit_or_none(_text(body, "document-uri", "documentURL"))
    directive = _text(body, "effective-directive", "effectiveDirective", "violated-directive").split(" ", 1)[0]
    blocked = _text(body, "blocked-uri", "blockedURL")
    source = _text(body, "source-file", "sourceFile")
    if page is None or page.netloc.lower() != host.lower() or directive not in DIRECTIVES:
        return None
    if blocked.startswith(EXTENSIONS) or source.startswith(EXTENSIONS):
        return None
    return Violation(route(page.path or "/"), directive, shortened(blocked))


def shortened(blocked: str) -> str:
    """A keyword (inline, eval, data …) or an origin; nothing that could hold what somebody typed."""
    if WORD.match(blocked):
        return blocked
    parts = urlsplit_or_none(blocked)
    if parts is None or not WORD.match(parts.scheme):
        return "other"
    if not HOST.match(parts.netloc.lower()):
        return parts.scheme
    return f"{parts.scheme}://{parts.netloc.lower()}"[:LONGEST_BLOCKED]


def urlsplit_or_none(text: str) -> Any:
    try:
        return urlsplit(text)
    except ValueError:
        return None


def _text(body: Mapping[str, Any], *names: str) -> str:
    return next((value for name in names if isinstance(value := body.get(name), str)), "")
