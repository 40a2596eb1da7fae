"""The log of all checkpoints: its leaves, its signed heads, every tenant that it tells of, and the anchors outside."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from django.conf import settings

from apps.tenants.context import as_system
from apps.tenants.models import PLATFORM_TENANT_ID, Tenant
from apps.tenants.slots import slots
from apps.tenants.windows import batches

from . import keys, storage, tree
from .checkpoints import INSTANCE, newest_checkpoint
from .evidence import BATCH, check_newest, check_note
from .incarnations import check_anchors
from .models import Checkpoint, InstanceLeaf, Log
from .walk import Damage, Kind


def check_instance() -> None:
    """Compare all of it; `seq` of a Damage is a place of the instance log.

    Raises Damage, and NotSigned where a place of anchors was never reached.
    """
    anchors = slots.anchored()  # first: whatever is kept outside is older than what is read next
    with as_system(PLATFORM_TENANT_ID):
        try:
            growing = _walk()
            for (level, index), found in growing.made:
                if INSTANCE.stored(level, index, index + 1) != [found]:
                    reason = "a stored hash of the instance log is not that of its leaves"
                    raise Damage(Kind.TREE_CHANGED, index << level, reason)
            _check_tenants()
            check_anchors(anchors, growing.state.size, INSTANCE)
        except storage.MissingHash as fault:
            raise Damage(Kind.TREE_CHANGED, 0, f"a stored hash of the instance log is gone: {fault}") from None


def fault_of_key() -> str:
    """Why no key that is known signed the logs that are here; empty where one did, and where none is set."""
    if not settings.CONFIG.text(keys.VARIABLE):
        return ""
    with as_system(PLATFORM_TENANT_ID):
        try:
            check_newest(newest_checkpoint(Log.INSTANCE), keys.known_keys())
        except Damage as fault:
            return fault.reason
    return ""


def _walk() -> storage.Growing:
    """The tree over all leaves; each head that was signed must be its root at that size. Raises Damage."""
    growing = storage.Growing(tree.CompactRange(), {})
    newest = newest_checkpoint(Log.INSTANCE)
    check_newest(newest)
    heads = _heads(newest.size if newest else 0)
    head = next(heads, None)
    for seq, leaf in _leaves():
        if seq != growing.state.size:
            raise Damage(Kind.GAP, growing.state.size, "this place of the instance log is missing")
        growing.append(leaf)
        while head is not None and head[0] == growing.state.size:
            if head[1] != growing.state.root():
                raise Damage(
                    Kind.SIGNED_OTHERWISE, seq, f"another root was signed over the first {head[0]} checkpoints"
                )
            head = next(heads, None)
    if head is not None:
        reason = f"{head[0]} checkpoints were signed, and {growing.state.size} are here"
        raise Damage(Kind.TAIL_CUT, growing.state.size, reason)
    return growing


def _leaves() -> Iterator[tuple[int, bytes]]:
    """(seq, leaf) in their order."""
    for rows in batches(InstanceLeaf.objects.all(), BATCH, by="seq"):
        yield from ((row.seq, bytes(row.leaf)) for row in rows)


def _heads(until: int) -> Iterator[tuple[int, bytes]]:
    """(size, root) of every head that was signed up to this size, which was there before the leaves are read."""
    for rows in batches(Checkpoint.objects.filter(log=Log.INSTANCE, size__lte=until), BATCH, by="size"):
        for row in rows:
            check_note(row)
            yield row.size, bytes(row.root)


def _check_tenants() -> None:
    """Whoever ever had a checkpoint is still there with one: a whole tenant cannot vanish, nor lend its past to another.

    That each checkpoint is its leaf, and of the tenant that the leaf is about, is part of verifying that tenant's log.
    """
    for about in InstanceLeaf.objects.order_by().values_list("about", flat=True).distinct():
        with as_system(about):
            is_here = Tenant.objects.filter(pk=about).exists()
            if is_here and Checkpoint.objects.filter(log=Log.ENTRIES).exists():
                continue
        reason = f"the log of tenant {about} was signed and is gone with {'all its checkpoints' if is_here else 'the tenant'}"
        raise Damage(Kind.CHECKPOINT_MISSING, _first_place(about), reason)


def _first_place(about: UUID) -> int:
    return InstanceLeaf.objects.filter(about=about).order_by("seq").values_list("seq", flat=True)[0]
