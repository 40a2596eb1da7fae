"""What operators did, in the platform's own log."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction

from apps.accounts.models import User
from apps.audit.actions import Target, record_platform
from apps.tenants import clock, context_keys
from apps.tenants.context import with_changes
from apps.tenants.encryption import Key
from apps.tenants.models import PLATFORM_TENANT_ID

from .backup.manifest import Manifest
from .models import Alarm, AlarmQuerySet

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


def encryption_key_rotated(ring: Sequence[Key], *, kept: bool) -> None:
    """Record that the first of these keys seals from now on; `kept` says that it was put there by hand."""
    facts = {"key": ring[0].name, "older": [key.name for key in ring[1:]], "kept": kept}
    record_platform("encryption_key.rotated", ABOUT, facts=facts)


def _facts(manifest: Manifest) -> dict[str, object]:
    return {"made_at": manifest.made_at, "files": manifest.files, "parts": dict(manifest.parts)}


@transaction.atomic
def mark_seen(alarms: AlarmQuerySet, *, by: User) -> int:
    """Note who has seen these security events, and when; returns how many were new to everybody."""
    with with_changes(tenant=None, platform=True, user=by.pk):
        ids = [str(pk) for pk in alarms.unseen().values_list("pk", flat=True)]
        if ids:
            facts = {"count": len(ids), "events": ids[:100]}
            record_platform("alarm.seen", ABOUT, facts=facts)  # first, for the marks are another role's transaction
            Alarm.objects.filter(pk__in=ids).update(seen_at=clock.now(), seen_by=by.pk)
    return len(ids)
