"""Mail that goes out, webhooks that go out, and webhooks that come in."""

from .inbox import InboundEvent, InboundState
from .outbox import OutboxMessage, OutboxState
from .webhooks import DeliveryState, WebhookAttempt, WebhookDelivery, WebhookEndpoint, WebhookEvent, WebhookSecret

__all__ = [
    "DeliveryState",
    "InboundEvent",
    "InboundState",
    "OutboxMessage",
    "OutboxState",
    "WebhookAttempt",
    "WebhookDelivery",
    "WebhookEndpoint",
    "WebhookEvent",
    "WebhookSecret",
]
