"""What of a tenant's log is held outside the database, for the pages: the newest anchor and its age."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from apps.tenants import clock
from apps.tenants.context import as_system
from apps.tenants.models import PLATFORM_TENANT_ID
from apps.tenants.slots import Anchored, slots

from .checkpoints import NotSigned
from .models import Checkpoint, Log

KINDS = {"file": "folder", "s3": "bucket"}


@dataclass(frozen=True)
class LastAnchor:
    """A signed head of which somebody outside holds a copy. `kind` is folder, bucket, mail or webhook.

    `size` counts the entries of the tenant's log that it covers, `at` is when that head was signed.
    """

    kind: str
    size: int
    at: datetime

    @property
    def age(self) -> timedelta:
        return clock.now() - self.at


def last_anchor(tenant: UUID) -> LastAnchor | None:
    """The newest anchor that covers entries of this tenant; None where nothing is held outside, or no place answers."""
    try:
        places = [_covered(tenant, anchor) for anchor in slots.anchored()]
    except NotSigned:
        places = []
    with as_system(tenant):
        told = [LastAnchor(kind, size, at) for kind, size, at in slots.told_heads()]
    found = [one for one in [*places, *told] if one is not None]
    return max(found, key=lambda one: (one.at, one.size), default=None)


def _covered(tenant: UUID, anchor: Anchored) -> LastAnchor | None:
    """A head of the instance log covers every checkpoint of a tenant that is a leaf before its size."""
    with as_system(PLATFORM_TENANT_ID):
        head = Checkpoint.objects.filter(log=Log.INSTANCE, size=anchor.size, root=anchor.root).first()
    with as_system(tenant):
        mine = Checkpoint.objects.filter(log=Log.ENTRIES, place__lt=anchor.size).order_by("-place").first()
    if head is None or mine is None:
        return None
    kind = KINDS.get(anchor.where.partition(":")[0], "folder")
    return LastAnchor(kind, mine.size, head.made_at)
