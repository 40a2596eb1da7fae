"""Begin the logs under a new name after a restore, with an entry that tells what is lost."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction

from apps.audit.actions import Target, record
from apps.audit.checkpoints import checkpoint_all, instance_size
from apps.audit.evidence import signed_size
from apps.audit.incarnations import incarnation, open_incarnation
from apps.tenants.context import TenantContext, as_system, tenant_context
from apps.tenants.models import PLATFORM_TENANT_ID, Tenant

from . import anchors


class NothingLost(Exception):
    """No anchor is ahead of the database: there is no reason for a new origin."""


@dataclass(frozen=True)
class Loss:
    """What the anchors hold and the database does not; `tenants` is id -> (first lost seq at the earliest, signed size)."""

    anchor: anchors.Anchor
    have: int
    tenants: dict[UUID, tuple[int, int]]

    def of(self, tenant: UUID) -> dict[str, int]:
        """The range that one log lost, as its entry tells it; from 0 to 0 is nothing."""
        lost_from, lost_to = self.tenants.get(tenant, (0, 0))
        return {"lost_from": lost_from, "lost_to": lost_to}


def find_loss() -> Loss:
    """Compare the database with the anchors. Raises NothingLost, Unreachable."""
    number, have = incarnation(), instance_size()
    best: tuple[anchors.Anchor, anchors.Place] | None = None
    for place in anchors.places():
        found = anchors.newest(place)
        if found and (best is None or (found.incarnation, found.size) > (best[0].incarnation, best[0].size)):
            best = found, place
    if best is None or (best[0].incarnation, best[0].size) <= (number, have):
        raise NothingLost
    tenants = {}
    for text, size in anchors.lost(best[1], have if best[0].incarnation == number else 0).items():
        with as_system(UUID(text)):
            if (mine := signed_size()) < size:
                tenants[UUID(text)] = (mine, size)
    return Loss(best[0], have, tenants)


def open_origin(loss: Loss) -> int:
    """Write what is lost into each log, open the next incarnation, and sign; returns its number.

    The entries come first: whoever is interrupted finds the loss again and may begin once more.
    """
    number = max(incarnation(), loss.anchor.incarnation) + 1
    with tenant_context(TenantContext(platform=True, credential="system")):
        known = {tenant.pk: tenant for tenant in Tenant.objects.exclude(pk=PLATFORM_TENANT_ID)}
    _tell_of_all(loss, number, gone=loss.tenants.keys() - known.keys() - {PLATFORM_TENANT_ID})
    for pk, tenant in known.items():
        with as_system(pk), transaction.atomic():
            record("log.origin_opened", tenant, facts={"incarnation": number} | loss.of(pk))
    open_incarnation(number)
    anchors.forget()
    checkpoint_all()
    return number


def _tell_of_all(loss: Loss, number: int, *, gone: Set[UUID]) -> None:
    """In the platform's log: what was lost of all, of that log itself, and of each tenant that is in this database no more."""
    own = loss.of(PLATFORM_TENANT_ID)
    facts = {
        "incarnation": number, "before": incarnation(), "lost_from": loss.have, "anchored": loss.anchor.incarnation,
        "lost_to": loss.anchor.size, "root": loss.anchor.root.hex(), "logs": len(loss.tenants),
        "own_from": own["lost_from"], "own_to": own["lost_to"], "gone": len(gone),
    }  # fmt: skip
    with as_system(PLATFORM_TENANT_ID), transaction.atomic():
        record("log.origin_opened", Target("installation", PLATFORM_TENANT_ID, "Orkestra"), facts=facts)
        for pk in sorted(gone):
            record("log.lost", Target("tenant", pk), facts={"incarnation": number} | loss.of(pk))
