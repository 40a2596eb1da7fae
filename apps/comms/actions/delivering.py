"""One attempt at telling one endpoint: claim, call with nothing locked, write down what came.

At least once: a worker that dies between the call and the last step leaves the delivery waiting, and its job is run
again. The `webhook-id` is the same every time, so that a receiver can tell a repetition.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from random import uniform
from uuid import UUID

from django.db import transaction

from apps.audit.actions import record
from apps.tenants import clock, egress
from apps.tenants.encryption import Unreadable, unseal
from apps.tenants.refusals import Refused

from ..models import DeliveryState, WebhookAttempt, WebhookDelivery, WebhookEndpoint, WebhookEvent, WebhookSecret
from ..models.webhooks import KEPT, OffReason
from ..rules import FAILING_FOR, GONE, excerpt_of, is_taken, wait_after
from ..signing import signed_headers
from .endpoints import PURPOSE
from .events import queue
from .mail import tell_owners

BOUNDS = egress.Bounds(most_bytes=2048)
JITTER = 0.1


@dataclass(frozen=True)
class Result:
    """What one call came to; `status` None means that there was no answer."""

    status: int | None = None
    error: str = ""
    excerpt: str = ""
    milliseconds: int = 0


def attempt(delivery_id: UUID) -> None:
    """Call the endpoint of one waiting delivery, once, and settle what follows."""
    claimed = _claim(delivery_id)
    if claimed is not None:
        _settle(claimed, _call(claimed.delivery))


@transaction.atomic
def _claim(delivery_id: UUID) -> WebhookAttempt | None:
    """The attempt that is about to be made; None when nothing waits any more."""
    rows = WebhookDelivery.objects.select_for_update(of=("self",)).select_related("endpoint", "event")
    delivery = rows.filter(pk=delivery_id, state=DeliveryState.QUEUED).first()
    if delivery is None:
        return None
    if not delivery.endpoint.is_active:
        delivery.state, delivery.next_at, delivery.done_at = DeliveryState.DEAD, None, clock.now()
        delivery.last_error = "The endpoint is off."
        delivery.save()
        return None
    delivery.attempts, delivery.tries, delivery.next_at = delivery.attempts + 1, delivery.tries + 1, None
    delivery.save()
    return WebhookAttempt.objects.create(delivery=delivery)


def _call(delivery: WebhookDelivery) -> Result:
    try:
        headers = _headers(delivery.event, delivery.endpoint)
        content = delivery.event.payload.encode()
        answer = egress.fetch("POST", delivery.endpoint.url, headers=headers, content=content, bounds=BOUNDS, cut=True)
    except (Refused, egress.EgressFailed, Unreadable) as error:
        return Result(error=str(error)[:300])
    said = "" if is_taken(answer.status) else f"HTTP {answer.status}"
    return Result(answer.status, said, excerpt_of(answer.body), answer.milliseconds)


def _headers(event: WebhookEvent, endpoint: WebhookEndpoint) -> dict[str, str]:
    """As Standard Webhooks wants them; one signature for each secret that is active."""
    kept = WebhookSecret.objects.active().filter(endpoint=endpoint)
    return signed_headers([unseal(PURPOSE, one.sealed) for one in kept], event.message_id, event.payload)


@transaction.atomic
def _settle(made: WebhookAttempt, result: Result) -> None:
    """Write the result down, and promise the next attempt in the same transaction."""
    endpoint = WebhookEndpoint.objects.select_for_update().filter(pk=made.delivery.endpoint_id).first()
    delivery = WebhookDelivery.objects.select_for_update().filter(pk=made.delivery_id).first()
    if endpoint is None or delivery is None:
        return
    WebhookAttempt.objects.filter(pk=made.pk).update(
        status=result.status, error=result.error, excerpt=result.excerpt, milliseconds=result.milliseconds
    )
    taken = is_taken(result.status)
    if delivery.state == DeliveryState.QUEUED:
        _move_on(delivery, result, taken, is_gone=result.status == GONE)
    _judge(endpoint, taken, is_gone=result.status == GONE)


def _move_on(delivery: WebhookDelivery, result: Result, taken: bool, *, is_gone: bool) -> None:
    delivery.last_status, delivery.last_error = result.status, result.error
    wait = None if taken or is_gone else wait_after(delivery.tries)
    if wait is None:
        delivery.state = DeliveryState.DELIVERED if taken else DeliveryState.DEAD
        delivery.done_at = clock.now()
    else:
        # Spread, so that a receiver that comes back does not get everything at the same second.
        seconds = round(wait * uniform(1 - JITTER, 1 + JITTER))  # noqa: S311
        delivery.next_at = clock.now() + timedelta(seconds=seconds)
        queue(delivery, after_seconds=seconds)
    delivery.save()


def _judge(endpoint: WebhookEndpoint, taken: bool, *, is_gone: bool) -> None:
    """Note since when nothing is taken, and switch the endpoint off when that is too long, or when it is gone."""
    now = clock.now()
    if taken:
        endpoint.failing_since = None
    else:
        endpoint.failing_since = endpoint.failing_since or now
        if endpoint.is_active and (is_gone or now - endpoint.failing_since >= FAILING_FOR):
            endpoint.off = OffReason.GONE if is_gone else OffReason.FAILING
            record("webhook.disabled", endpoint, facts={"reason": str(endpoint.off)})
            context = {"host": endpoint.host, "reason": endpoint.get_off_display(), "since": endpoint.failing_since}  # type: ignore[attr-defined]
            page = f"settings/webhooks/{endpoint.pk}/"
            tell_owners("comms/mail/webhook_off", page, f"webhook_off:{endpoint.pk}:{now.isoformat()}", context)
    endpoint.save(update_fields=["failing_since", "off"])


@transaction.atomic
def prune() -> int:
    """Forget events of the tenant in force, with their deliveries, that are older than the log is kept; how many."""
    old = WebhookEvent.objects.filter(occurred_at__lt=clock.now() - KEPT)
    waiting = WebhookDelivery.objects.filter(state=DeliveryState.QUEUED).values("event_id")
    gone, _rows = old.exclude(pk__in=waiting).delete()
    return gone


@transaction.atomic
def requeue_webhooks() -> int:
    """A job for each delivery of the tenant in force that waits without one, as after a restore; how many."""
    waiting = list(WebhookDelivery.objects.filter(state=DeliveryState.QUEUED))
    for delivery in waiting:
        queue(delivery)
    return len(waiting)
