"""Webhooks that come in: kept once, dealt with by a job that marks them done in the transaction of what they change."""

from __future__ import annotations

import hashlib
import json
from uuid import UUID

from django.db import transaction

from apps.tenants import clock
from apps.tenants.encryption import seal, unseal
from apps.tenants.jobs import defer_apart
from apps.tenants.security_events import Kind, security_event_now_and_then
from apps.tenants.slots import Inbound, slots

from ..models import InboundEvent, InboundState
from ..verifying import Fault, Message

PURPOSE = "inbound webhook"


@transaction.atomic
def receive(source: str, message: Message, raw: bytes) -> bool:
    """Keep a verified message and promise to deal with it; False for one that was kept before, whoever sent it again."""
    event = InboundEvent(
        source=source,
        event_id=message.event_id,
        type=message.type,
        sha256=hashlib.sha256(raw).hexdigest(),
        sealed=seal(PURPOSE, raw.decode()),
    )
    InboundEvent.objects.bulk_create([event], ignore_conflicts=True)
    kept = InboundEvent.objects.get(source=source, event_id=message.event_id)
    if kept.pk != event.pk:
        return False
    _promise(event.pk)
    return True


@transaction.atomic
def process(event_id: UUID) -> None:
    """Hand one event to the room that deals with its source, once; its content is erased then.

    What the handler raises undoes all of it, and the job tries again.
    """
    event = InboundEvent.objects.select_for_update().get(pk=event_id)
    if event.state != InboundState.RECEIVED:
        return
    handler = slots.inbound.get(event.source.partition(":")[0])
    found = Inbound(event.event_id, event.type, json.loads(unseal(PURPOSE, event.sealed)))
    note = handler.run(found) if handler else None
    event.state = InboundState.IGNORED if note is None else InboundState.DONE
    event.note, event.sealed, event.done_at = (note or "")[:200], "", clock.now()
    event.save()


def refuse_forged(source: str, fault: Fault) -> None:
    """Tell those who watch, bounded by source and fault: anybody can send nonsense at will."""
    about = f"{source}:{fault.value}"
    security_event_now_and_then(Kind.WEBHOOK_FORGED, about=about, source=source, fault=fault.value)


@transaction.atomic
def requeue_inbound() -> int:
    """A job for each event that nobody has dealt with, as after a restore; how many."""
    waiting = list(InboundEvent.objects.filter(state=InboundState.RECEIVED).values_list("pk", flat=True))
    for pk in waiting:
        _promise(pk)
    return len(waiting)


def _promise(pk: UUID) -> None:
    defer_apart("comms.process_inbound", queue="webhooks", event_id=str(pk))
