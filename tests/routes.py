"""Every route of the URL resolver, and an address of each."""

from __future__ import annotations

import re
from collections.abc import Iterator

from django.urls import URLPattern, URLResolver

FILLERS = {
    "tenant": "acme",
    "slug": "some-form",
    "pk": "01a20acb-4e16-74de-b97c-4261e1ed4b89",
    "key": "x",
    "form": "some-form",
    "word": "a-private-word-of-a-stranger",
    "uidb36": "1",
    "policy": "0" * 16,
    "kind": "enforce",
    "day": "20270101",
    "mac": "0" * 32,
}


def walk(resolver: URLResolver, prefix: str = "") -> Iterator[str]:
    """Every route below a resolver, as text."""
    for entry in resolver.url_patterns:
        route = prefix + re.sub(r"^\^", "", str(entry.pattern))
        if isinstance(entry, URLResolver):
            yield from walk(entry, route)
        elif isinstance(entry, URLPattern):
            yield route


def example(route: str) -> str:
    """A path of the route, with its converters filled in."""
    path = re.sub(r"<(?:\w+:)?(\w+)>", lambda found: FILLERS.get(found[1], FILLERS["pk"]), route)
    path = re.sub(r"\(\?P<(\w+)>[^)]*\)", lambda found: FILLERS.get(found[1], FILLERS["pk"]), path)
    return "/" + path.replace("\\Z", "").replace("\\.", ".").replace("\\", "").rstrip("$").replace("/?", "")
