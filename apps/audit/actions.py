"""Write what happened, in the same transaction as what happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import models, router, transaction

from apps.tenants import clock
from apps.tenants.context import TenantContext, as_platform, current, current_tenant
from apps.tenants.ids import new_id
from apps.tenants.inserting import insert_together
from apps.tenants.models import PLATFORM_TENANT_ID

from . import canonical, catalogue, private
from .models import Entry
from .receipts import signed

VERSION = 1


@dataclass(frozen=True)
class Target:
    """Something that an act is about, where no model stands for it."""

    type: str
    id: UUID
    label: str = ""


def record(
    action: str,
    *targets: models.Model | Target,
    facts: Mapping[str, Any] | None = None,
    outcome: str = "done",
    receipt: bool = False,
    on_behalf_of: UUID | None = None,
) -> Entry:
    """Insert one entry about the targets, by whoever acts in the context in force; a `receipt` is signed with it.

    `on_behalf_of` is the member whose place the actor takes; an entry without one does not name the field.
    `facts` hold ids, states, hashes, numbers and references, never what a person wrote. Raises RuntimeError outside a
    transaction, KeyError for an act that no room has registered, NotCanonical for a fact without agreed bytes.
    """
    if not transaction.get_connection(router.db_for_write(Entry)).in_atomic_block:
        raise RuntimeError("An entry is written in the transaction of its act; there is none.")
    if catalogue.find(action) is None:
        raise KeyError(f"No room has registered the act {action!r}.")
    named = [_target(target) for target in targets]
    first = named[0] if named else None
    actor_type, actor_id = _actor(current())
    entry = Entry(
        id=new_id(),
        time=clock.now(),
        action=action,
        actor_type=actor_type,
        actor_id=actor_id,
        target_type=first.type if first else "",
        target_id=first.id if first else None,
        target_label=first.label if first else "",
        outcome=outcome,
        request_id=current().request_id,
    )
    values = private.drawn()
    entry.body = canonical.encode(_document(entry, named, facts or {}, on_behalf_of) | private.commitments(values))
    private.beside(values, entry)
    insert_together(entry, *values, *([signed(entry)] if receipt else []))
    return entry


def _document(entry: Entry, targets: list[Target], facts: Mapping[str, Any], behalf: UUID | None) -> dict[str, Any]:
    """What is hashed. The entry's columns repeat a part of it, and `verify` compares them."""
    said = {
        "v": VERSION,
        "log": str(current_tenant()),
        "id": str(entry.pk),
        "time": canonical.timestamp(entry.time),
        "action": entry.action,
        "actor": {"type": entry.actor_type, "id": str(entry.actor_id) if entry.actor_id else None},
        "impersonator": _impersonator(current()),
        "credential": current().credential,
        "targets": [{"type": target.type, "id": str(target.id), "label": target.label} for target in targets],
        "outcome": entry.outcome,
        "request_id": entry.request_id,
        "facts": dict(facts),
    }
    return said | ({"on_behalf_of": {"type": "member", "id": str(behalf)}} if behalf else {})


def record_platform(action: str, *targets: models.Model | Target, **rest: Any) -> Entry:
    """Record an act that belongs to no tenant, in the platform's own log, by the Super Admin who acts where one does."""
    with as_platform(PLATFORM_TENANT_ID), transaction.atomic():
        return record(action, *targets, **rest)


def _actor(acting: TenantContext) -> tuple[str, UUID | None]:
    if acting.credential == "system":
        return "system", None
    if acting.member is not None:
        return "service_account" if acting.is_service else "member", acting.member
    return ("user", acting.user) if acting.user is not None else ("anonymous", None)


def _impersonator(acting: TenantContext) -> dict[str, str] | None:
    """Whoever acts in the actor's place: a Super Admin on a support visit."""
    return {"type": "user", "id": str(acting.impersonator)} if acting.impersonator else None


def _target(target: models.Model | Target) -> Target:
    if isinstance(target, Target):
        return target
    kind = getattr(target, "audit_type", "") or target._meta.model_name or ""
    return Target(kind, target.pk, str(getattr(target, "audit_label", ""))[:200])
