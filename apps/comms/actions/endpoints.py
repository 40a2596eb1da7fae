"""What an owner does with webhook endpoints."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from apps.audit.actions import record
from apps.tenants import clock, egress
from apps.tenants.context import refuse_support, require
from apps.tenants.encryption import seal
from apps.tenants.freshness import require_fresh
from apps.tenants.refusals import Conflict, Invalid, Refused

from ..events import EVENTS, TEST_EVENT
from ..models import DeliveryState, WebhookDelivery, WebhookEndpoint, WebhookSecret
from ..models.webhooks import OffReason
from ..rules import MOST_ENDPOINTS, OVERLAP
from ..signing import new_secret
from .events import queue, tell

PURPOSE = "webhook secret"


@transaction.atomic
def create_endpoint(*, url: str, events: list[str], description: str = "", by: Any) -> tuple[WebhookEndpoint, str]:
    """A new endpoint and its first secret, which is never shown again.

    Raises Refused for an address where Orkestra does not call or that is there already, Invalid for unknown events.
    """
    refuse_support()
    require("settings.write")
    require_fresh("webhook.create")
    _check(url, events)
    if WebhookEndpoint.objects.count() >= MOST_ENDPOINTS:
        raise Refused(_("A tenant has at most %(n)s endpoints.") % {"n": MOST_ENDPOINTS}, code="too_many")
    _check_new(url)
    made = WebhookEndpoint.objects.create(url=url, events=sorted(set(events)), description=description)
    secret = _new_secret(made)
    record("webhook.created", made, facts=egress.destination(url) | {"events": made.events})
    return made, secret


@transaction.atomic
def change_endpoint(endpoint: WebhookEndpoint, *, by: Any, **changes: Any) -> WebhookEndpoint:
    """Another address, note or choice of events; `is_active` switches it off and on. Raises as `create_endpoint` does."""
    require("settings.write")
    found = WebhookEndpoint.objects.select_for_update().get(pk=endpoint.pk)
    url, events = changes.get("url", found.url), changes.get("events", found.events)
    _check(url, events)
    if url != found.url:
        refuse_support()
        require_fresh("webhook.move")
        _check_new(url)
    before = {"events_before": found.events, "off_before": found.off} | _moved(found.url, url)
    found.url, found.events = url, sorted(set(events))
    found.description = changes.get("description", found.description)
    if "is_active" in changes and changes["is_active"] != found.is_active:
        found.off = OffReason.ON if changes["is_active"] else OffReason.OWNER
        found.failing_since = None
    found.save()
    after = egress.destination(url) | {"events": found.events, "off": found.off}
    record("webhook.changed", found, facts=before | after | {"fields": sorted(changes)})
    return found


@transaction.atomic
def delete_endpoint(endpoint: WebhookEndpoint, *, by: Any) -> None:
    """Remove an endpoint with its secrets and its log; what waits for it is not sent any more."""
    require("settings.write")
    facts = egress.destination(endpoint.url) | {"deliveries": endpoint.deliveries.count()}
    record("webhook.deleted", endpoint, facts=facts)
    endpoint.delete()


@transaction.atomic
def rotate_secret(endpoint: WebhookEndpoint, *, by: Any) -> str:
    """A new secret; the one before signs beside it for a day, so that the receiver can change over. Any older one ends."""
    refuse_support()
    require("settings.write")
    require_fresh("webhook.rotate")
    WebhookEndpoint.objects.select_for_update().get(pk=endpoint.pk)
    now = clock.now()
    before = list(WebhookSecret.objects.active().filter(endpoint=endpoint))
    WebhookSecret.objects.filter(endpoint=endpoint).exclude(pk__in=[one.pk for one in before[:1]]).delete()
    WebhookSecret.objects.filter(endpoint=endpoint, expires_at=None).update(expires_at=now + OVERLAP)
    secret = _new_secret(endpoint)
    record("webhook.secret_rotated", endpoint, facts={"before_until": (now + OVERLAP).isoformat()})
    return secret


@transaction.atomic
def end_old_secret(endpoint: WebhookEndpoint, *, by: Any) -> None:
    """The replaced secret signs no more from now on."""
    require("settings.write")
    gone, _rows = WebhookSecret.objects.filter(endpoint=endpoint).exclude(expires_at=None).delete()
    record("webhook.secret_ended", endpoint, facts={"secrets": gone})


@transaction.atomic
def send_test(endpoint: WebhookEndpoint, *, by: Any) -> WebhookDelivery:
    """A harmless event to this endpoint alone. Raises Conflict while an earlier one waits or the endpoint is off."""
    require("settings.write")
    WebhookEndpoint.objects.select_for_update().get(pk=endpoint.pk)
    if not endpoint.is_active:
        raise Conflict(_("The endpoint is off; switch it on first."), code="endpoint_off")
    waiting = WebhookDelivery.objects.filter(endpoint=endpoint, event__type=TEST_EVENT, state=DeliveryState.QUEUED)
    if waiting.exists():
        raise Conflict(_("A test is on its way already."), code="test_waits")
    (made,) = tell([endpoint], TEST_EVENT, {"endpoint": str(endpoint.pk)})
    record("webhook.tested", endpoint, made)
    return made


@transaction.atomic
def resend(delivery: WebhookDelivery, *, by: Any) -> WebhookDelivery:
    """Send the same message again under the same `webhook-id`. Raises Conflict while the endpoint is off."""
    require("settings.write")
    found = WebhookDelivery.objects.select_for_update(of=("self",)).select_related("endpoint").get(pk=delivery.pk)
    if not found.endpoint.is_active:
        raise Conflict(_("The endpoint is off; switch it on first."), code="endpoint_off")
    found.state, found.tries, found.next_at, found.done_at = DeliveryState.QUEUED, 0, clock.now(), None
    found.save()
    record("webhook.resent", found.endpoint, found, facts={"attempts": found.attempts})
    queue(found)
    return found


def _moved(before: str, after: str) -> dict[str, str]:
    """Where it went before, where that changes."""
    return {} if before == after else {f"{name}_before": said for name, said in egress.destination(before).items()}


def _check(url: str, events: Any) -> None:
    egress.check_url(url)
    unknown = sorted(set(events) - set(EVENTS))
    if unknown or not events:
        known = ", ".join(EVENTS)
        raise Invalid({"events": [_("Choose at least one of these: %(known)s.") % {"known": known}]})


def _check_new(url: str) -> None:
    if WebhookEndpoint.objects.filter(url=url).exists():
        raise Refused(_("There is an endpoint with this address already."), code="taken", field="url")


def _new_secret(endpoint: WebhookEndpoint) -> str:
    """Only the sealed form of it is kept."""
    text = new_secret()
    WebhookSecret.objects.create(endpoint=endpoint, sealed=seal(PURPOSE, text))
    return text
