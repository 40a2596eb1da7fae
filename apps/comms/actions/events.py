"""Promise to tell webhooks, in the transaction of what they are told."""

from __future__ import annotations

import json
from typing import Any

from django.db import router, transaction

from apps.tenants import clock
from apps.tenants.context import current_tenant
from apps.tenants.jobs import defer

from ..events import EVENTS, TEST_EVENT
from ..models import WebhookDelivery, WebhookEndpoint, WebhookEvent

QUEUE = "webhooks"


def publish_event(type_: str, **data: Any) -> None:
    """Tell every endpoint that asks for this type; nothing is written where none does.

    `data` is ids, states and references, as the receiver gets them beside the tenant's id. Raises RuntimeError outside a
    transaction, KeyError for a type that is not in the catalogue.
    """
    if not transaction.get_connection(router.db_for_write(WebhookEvent)).in_atomic_block:
        raise RuntimeError("An event is promised in the transaction of its act; there is none.")
    if type_ not in EVENTS:
        raise KeyError(f"There is no event {type_!r}.")
    asking = [one for one in WebhookEndpoint.objects.filter(off="") if type_ in one.events]
    if asking:
        tell(asking, type_, data)


def tell(endpoints: list[WebhookEndpoint], type_: str, data: dict[str, Any]) -> list[WebhookDelivery]:
    """One event, a delivery for each endpoint, and the job of each."""
    now = clock.now()
    body = {
        "type": type_,
        "timestamp": now.isoformat().replace("+00:00", "Z"),
        "data": {"tenant": current_tenant(), **data},
    }
    payload = json.dumps(body, ensure_ascii=False, separators=(",", ":"), default=str)
    event = WebhookEvent.objects.create(type=type_, payload=payload, occurred_at=now)
    made = WebhookDelivery.objects.bulk_create([WebhookDelivery(endpoint=one, event=event) for one in endpoints])
    for delivery in made:
        queue(delivery)
    return made


def queue(delivery: WebhookDelivery, after_seconds: int = 0) -> None:
    """The job of the next attempt; a new one each time, so that its number of runs says how often a worker died in it."""
    defer("comms.deliver_webhook", queue=QUEUE, after_seconds=after_seconds, delivery_id=str(delivery.pk))


__all__ = ["TEST_EVENT", "publish_event", "queue", "tell"]
