"""Cache keys that carry the tenant, so that no entry of one can be read as another."""

from __future__ import annotations

from .context import current


def walled_key(key: str, prefix: str, version: int) -> str:
    """`ork:<version>:<tenant or none>:<key>` for the tenant in force."""
    return f"ork:{version}:{current().tenant or 'none'}:{key}"
