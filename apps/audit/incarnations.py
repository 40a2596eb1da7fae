"""How often the logs were begun anew, why, and what is kept outside the database of the times before.

A restore of an old backup loses what anchors outside still hold. The logs go on then under origins that carry the next
number, and the platform's log tells what is lost. A number without that entry explains nothing, and nothing is signed
or found whole under it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass

from django.db import connections, transaction

from apps.tenants import clock
from apps.tenants.context import as_system
from apps.tenants.ids import new_id
from apps.tenants.models import PLATFORM_TENANT_ID
from apps.tenants.slots import Anchored

from . import canonical, sealer, tree
from .models import Entry, Incarnation
from .walk import Damage, Kind

LOCK_INSTANCE = "SELECT pg_advisory_xact_lock(hashtextextended('orkestra.instance', 0))"
ADD_INCARNATION = "INSERT INTO audit_incarnation (tenant_id, id, number, opened_at) VALUES (%s, %s, %s, %s)"
OPENED = "log.origin_opened"


@dataclass(frozen=True)
class Opening:
    """What the platform's log tells of a new beginning: which head outside was ahead, and how much was here under which number."""

    before: int
    have: int
    anchored: int
    size: int
    root: bytes


def incarnation() -> int:
    """The number that origins carry now."""
    with as_system(PLATFORM_TENANT_ID):
        newest = Incarnation.objects.order_by("-number").first()
    return newest.number if newest else 1


def open_incarnation(number: int) -> None:
    """Let every log go on under origins that carry this number; what is signed from now on is another log to verifiers.

    The entry that tells why must be there already.
    """
    alias = sealer.ALIAS
    with as_system(PLATFORM_TENANT_ID), transaction.atomic(using=alias), connections[alias].cursor() as cursor:
        cursor.execute(LOCK_INSTANCE)
        cursor.execute(ADD_INCARNATION, [PLATFORM_TENANT_ID, new_id(), number, clock.now()])


def opening(number: int) -> Opening | None:
    """What the platform's log tells of the beginning of this number; None where it does not tell."""
    with as_system(PLATFORM_TENANT_ID):
        for entry in Entry.objects.filter(action=OPENED).order_by("-time", "-id"):
            with contextlib.suppress(canonical.NotCanonical, KeyError, TypeError, ValueError):
                facts = entry.facts
                if facts["incarnation"] == number:
                    before, have, anchored, size = (
                        int(facts[name]) for name in ("before", "lost_from", "anchored", "lost_to")
                    )
                    return Opening(before, have, anchored, size, bytes.fromhex(str(facts["root"])))
    return None


def check_anchors(anchors: Iterable[Anchored], size: int, read: tree.HashReader) -> None:
    """What is kept outside must be heads of the instance log, which has this size, or what its newest beginning tells of.

    For the platform tenant in force; `read` gives the instance log's hashes. Raises Damage, and MissingHash.
    """
    number = incarnation()
    told = _explained(number, size)
    for anchor in anchors:
        if anchor.incarnation > number or (anchor.incarnation == number and anchor.size > size):
            reason = (
                f"{anchor.where} holds {anchor.size} checkpoints of incarnation {anchor.incarnation}; here are {size} of"
                f" {number}: an old backup is in force"
            )
            raise Damage(Kind.TAIL_CUT, size, reason)
        if anchor.incarnation == number:
            _compare(anchor, read)
        elif told is not None:
            _check_older(anchor, told, read)


def _explained(number: int, size: int) -> Opening | None:
    """Why the logs were begun anew; None where they never were. Raises Damage where nothing tells it."""
    if number == 1:
        return None
    if (told := opening(number)) is None:
        reason = f"the logs were begun anew as number {number}, and no entry of the platform's log tells why"
        raise Damage(Kind.ORIGIN_UNEXPLAINED, size, reason)
    return told


def _check_older(anchor: Anchored, told: Opening, read: tree.HashReader) -> None:
    """A head from before the newest beginning is one of what was here then, or at most what was told to be lost."""
    place, lost = (anchor.incarnation, anchor.size), (told.anchored, told.size)
    if place > lost or (place == lost and anchor.root != told.root):
        reason = f"{anchor.where} holds {anchor.size} checkpoints of incarnation {anchor.incarnation}, whose loss no entry tells"
        raise Damage(Kind.TAIL_CUT, told.have, reason)
    if anchor.incarnation == told.before and anchor.size <= told.have:
        _compare(anchor, read)


def _compare(anchor: Anchored, read: tree.HashReader) -> None:
    if tree.root(anchor.size, read) != anchor.root:
        reason = f"the first {anchor.size} checkpoints are not those that {anchor.where} holds"
        raise Damage(Kind.ANCHOR_DIFFERS, anchor.size - 1, reason)
