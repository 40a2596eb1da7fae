"""Sign the heads of the logs. Nothing is signed that does not continue what was signed before, here or outside.

Runs as the sealer, after sealing. Each checkpoint of a tenant is a leaf of the instance log, in the same transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.db import connections, transaction

from apps.tenants import clock
from apps.tenants.context import TenantContext, as_system, tenant_context
from apps.tenants.ids import new_id
from apps.tenants.models import PLATFORM_TENANT_ID
from apps.tenants.security_events import Kind, security_event
from apps.tenants.slots import Anchored, slots

from . import keys, note, sealer, storage, tree
from .evidence import check_newest
from .incarnations import LOCK_INSTANCE, check_anchors, incarnation
from .models import Checkpoint, InstanceLeaf, Log
from .statements import Head
from .walk import Damage

ALIAS = sealer.ALIAS
# Tenants whose log has grown past their newest checkpoint, by one look at the end of each log.
DUE = """
    WITH RECURSIVE t (id) AS (
      (SELECT tenant_id FROM audit_seal ORDER BY tenant_id LIMIT 1)
      UNION ALL
      SELECT (SELECT s.tenant_id FROM audit_seal s WHERE s.tenant_id > t.id ORDER BY s.tenant_id LIMIT 1)
      FROM t WHERE t.id IS NOT NULL)
    SELECT t.id FROM t
    CROSS JOIN LATERAL (SELECT seq FROM audit_seal s WHERE s.tenant_id = t.id ORDER BY seq DESC LIMIT 1) AS last
    WHERE last.seq >= coalesce((SELECT size FROM audit_checkpoint c WHERE c.tenant_id = t.id AND c.log = 0
                                ORDER BY size DESC, made_at DESC LIMIT 1), 0)"""
ADD_CHECKPOINT = """
    INSERT INTO audit_checkpoint (tenant_id, id, log, size, root, origin, note, place, made_at)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)"""
ADD_LEAF = """
    INSERT INTO audit_instanceleaf (tenant_id, id, seq, leaf, about, checkpoint) VALUES (%s, %s, %s, %s, %s, %s)"""


class NotSigned(Exception):
    """The head was not signed, because it does not continue what was signed; the message tells what differs."""


def instance_leaves(alias: str | None, low: int, high: int) -> list[bytes]:
    """The leaves of the instance log by their seq; for the platform tenant in force."""
    rows = InstanceLeaf.objects.db_manager(alias).filter(seq__gte=low, seq__lt=high).order_by("seq")
    return [bytes(found) for found in rows.values_list("leaf", flat=True)]


INSTANCE = storage.Stored(Log.INSTANCE, instance_leaves)
_instance = replace(INSTANCE, alias=ALIAS)
_entries = replace(storage.ENTRIES, alias=ALIAS)


def checkpoint(tenant: UUID, by: Sequence[bytes] | None = None) -> Checkpoint | None:
    """The signed head over all that is sealed in one log: the newest one where it still holds, else a new one.

    None for an empty log. `by` are keys that may have signed the one before; those in force when left out.
    Raises NotSigned, which is an alarm too.
    """
    with tenant_context(TenantContext.system(tenant)):
        try:
            return _checkpoint(tenant, outside(), by)
        except (NotSigned, storage.MissingHash) as fault:
            security_event(Kind.CHAIN_BROKEN, tenant=str(tenant), reason=str(fault))
            raise NotSigned(str(fault)) from None


def checkpoint_all() -> int:
    """Sign every log that has grown, then the instance log over them; returns how many were signed."""
    signed = 0
    for tenant in sealer.tenants(DUE):
        try:
            signed += checkpoint(tenant) is not None
        except NotSigned:
            continue
    try:
        checkpoint_instance()
    except NotSigned as fault:
        security_event(Kind.CHAIN_BROKEN, log="instance", reason=str(fault))
    return signed


def checkpoint_instance(by: Sequence[bytes] | None = None) -> Checkpoint | None:
    """The signed head of the instance log; a new one where it has grown. Raises NotSigned."""
    anchors = outside()
    with (
        as_system(PLATFORM_TENANT_ID),
        transaction.atomic(using=ALIAS),
        connections[ALIAS].cursor() as cursor,
    ):
        cursor.execute(LOCK_INSTANCE)
        size = _instance_size(cursor)
        refuse_when_behind(size, anchors)
        origin = keys.origin_of(None, incarnation())
        newest = newest_checkpoint(Log.INSTANCE, ALIAS)
        _refuse_another_past(newest, size, _instance, by)
        if size == 0 or _still_holds(newest, size, origin):
            return newest
        return _sign(cursor, Log.INSTANCE, Head(origin, size, tree.root(size, _instance)), None)


def newest_checkpoint(log: Log = Log.ENTRIES, alias: str | None = None) -> Checkpoint | None:
    """The newest signed head of a log of the tenant in force."""
    return Checkpoint.objects.db_manager(alias).filter(log=log).order_by("-size", "-made_at").first()


def outside() -> Sequence[Anchored] | NotSigned:
    """What is kept outside the database, or why that is not known. To be asked before any lock: it may ask a network.

    It is as good under a lock taken afterwards. The instance log only grows, so an anchor that was not ahead of it then
    is not ahead of it now; and one that was ahead of a restored database is in what was read, since nobody can replace
    the database under a session that holds a lock of it.
    """
    try:
        return slots.anchored()
    except NotSigned as fault:
        return fault


def refuse_when_behind(size: int, anchors: Sequence[Anchored] | NotSigned) -> None:
    """Raise NotSigned when the instance log, which has this size, is not what anchors outside say, or none can be asked."""
    if isinstance(anchors, NotSigned):
        raise anchors
    with as_system(PLATFORM_TENANT_ID):
        try:
            check_anchors(anchors, size, _instance)
        except Damage as fault:
            raise NotSigned(fault.reason) from None


def _checkpoint(tenant: UUID, anchors: Sequence[Anchored] | NotSigned, by: Sequence[bytes] | None) -> Checkpoint | None:
    with transaction.atomic(using=ALIAS), connections[ALIAS].cursor() as cursor:
        sealer.lock(cursor, tenant)
        state = sealer.head(cursor, tenant).growing.state
        newest, origin = newest_checkpoint(Log.ENTRIES, ALIAS), keys.origin_of(tenant, incarnation())
        _refuse_another_past(newest, state.size, _entries, by)
        if _still_holds(newest, state.size, origin):
            return newest
        _refuse_a_forgotten(tenant, newest)
        if state.size == 0 and newest is None:
            return None
        with as_system(PLATFORM_TENANT_ID):
            cursor.execute(LOCK_INSTANCE)
            place = _instance_size(cursor)
            _refuse_another_past(newest_checkpoint(Log.INSTANCE, ALIAS), place, _instance, by)
        refuse_when_behind(place, anchors)
        made = _sign(cursor, Log.ENTRIES, Head(origin, state.size, state.root()), place)
        with as_system(PLATFORM_TENANT_ID):
            _add_leaf(cursor, place, made)
    return made


def _refuse_another_past(
    newest: Checkpoint | None, size: int, read: tree.HashReader, by: Sequence[bytes] | None
) -> None:
    """What was signed before, by a key in force, must be a prefix of what is signed now."""
    if newest is None:
        return
    try:
        check_newest(newest, by)
    except Damage as fault:
        raise NotSigned(fault.reason) from None
    if newest.size > size:
        raise NotSigned(f"A checkpoint over {newest.size} entries was signed; here are {size}.")
    if tree.root(newest.size, read) != bytes(newest.root):
        raise NotSigned(f"The first {newest.size} entries are not those that were signed.")


def _still_holds(newest: Checkpoint | None, size: int, origin: str) -> bool:
    """Whether nothing is to be signed: the newest head is over all that is here, under this name, by the first of the keys."""
    return (
        newest is not None
        and (newest.size, newest.origin) == (size, origin)
        and keys.has_signed(newest.note, origin, keys.public_keys()[0])
    )


def _refuse_a_forgotten(tenant: UUID, newest: Checkpoint | None) -> None:
    """The newest checkpoint is the last one that the instance log has about this log; nobody may begin it anew."""
    with as_system(PLATFORM_TENANT_ID):
        last = InstanceLeaf.objects.db_manager(ALIAS).filter(about=tenant).order_by("-seq").first()
    if last is not None and (newest is None or newest.place != last.seq):
        raise NotSigned(f"The instance log has a checkpoint of this log at place {last.seq}, which is not here.")


def _sign(cursor: Any, log: Log, head: Head, place: int | None) -> Checkpoint:
    made = Checkpoint(
        log=log, size=head.size, root=head.root, origin=head.origin, place=place, made_at=clock.now(),
        note=note.sign(head.text(), keys.signers(head.origin)),
    )  # fmt: skip
    values = [made.tenant_id, made.pk, log, made.size, made.root, made.origin, made.note, place, made.made_at]
    cursor.execute(ADD_CHECKPOINT, values)
    return made


def instance_size() -> int:
    """How many checkpoints of tenants there are."""
    with as_system(PLATFORM_TENANT_ID), connections[ALIAS].cursor() as cursor:
        return _instance_size(cursor)


def _instance_size(cursor: Any) -> int:
    cursor.execute(
        "SELECT seq FROM audit_instanceleaf WHERE tenant_id = %s ORDER BY seq DESC LIMIT 1", [PLATFORM_TENANT_ID]
    )
    last = cursor.fetchone()
    return last[0] + 1 if last else 0


def _add_leaf(cursor: Any, place: int, made: Checkpoint) -> None:
    leaf = tree.leaf_hash(made.note.encode())
    cursor.execute(ADD_LEAF, [PLATFORM_TENANT_ID, new_id(), place, leaf, made.tenant_id, made.pk])
    if (place + 1) % storage.TILE == 0:
        growing = _instance.growing(place)
        growing.append(leaf)
        sealer.add_nodes(cursor, PLATFORM_TENANT_ID, Log.INSTANCE, growing)
