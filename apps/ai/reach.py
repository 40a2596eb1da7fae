"""Whether the model's host can be reached; asking the model itself would cost money."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

from .provider import provider

SECONDS = 1.0
PORTS = {"http": 80, "https": 443}


def check() -> str:
    """ok, down, or off where no model is configured. AI is an extra: what it helps with can be done by hand."""
    found = provider()
    if not found.is_configured:
        return "off"
    if found.fault:
        return "down"
    parts = urlsplit(found.url)
    try:
        socket.create_connection((found.host, parts.port or PORTS[parts.scheme]), SECONDS).close()
    except OSError:
        return "down"
    return "ok"
