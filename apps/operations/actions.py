"""What operators did, in the platform's own log."""

from __future__ import annotations

from apps.audit.actions import Target, record_platform
from apps.tenants import context_keys
from apps.tenants.models import PLATFORM_TENANT_ID

from .backup.manifest import Manifest

ABOUT = Target("installation", PLATFORM_TENANT_ID, "Orkestra")


def backup_made(manifest: Manifest) -> None:
    """Record a finished backup by its hashes."""
    record_platform("backup.made", ABOUT, facts=_facts(manifest))


def backup_restored(manifest: Manifest) -> None:
    """Record that this installation is what a backup was."""
    record_platform("backup.restored", ABOUT, facts=_facts(manifest))


def rotate_context_key(*, retire_others: bool) -> str:
    """Make a new key for the signed context, and record it; returns its id."""
    kid = context_keys.rotate(retire_others=retire_others)
    record_platform("context.key_rotated", ABOUT, facts={"key": kid, "retired_others": retire_others})
    return kid


def _facts(manifest: Manifest) -> dict[str, object]:
    return {"made_at": manifest.made_at, "files": manifest.files, "parts": dict(manifest.parts)}
