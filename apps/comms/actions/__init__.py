"""Everything that writes mails, webhooks and what became of them."""

from .delivering import attempt, prune, requeue_webhooks
from .endpoints import (
    change_endpoint,
    create_endpoint,
    delete_endpoint,
    end_old_secret,
    resend,
    rotate_secret,
    send_test,
)
from .events import publish_event
from .inbox import process, receive, refuse_forged, requeue_inbound
from .mail import MAX_ATTEMPTS, TryAgain, deliver, queue_mail, tell_owners

__all__ = [
    "MAX_ATTEMPTS",
    "TryAgain",
    "attempt",
    "change_endpoint",
    "create_endpoint",
    "delete_endpoint",
    "deliver",
    "end_old_secret",
    "process",
    "prune",
    "publish_event",
    "queue_mail",
    "receive",
    "refuse_forged",
    "requeue_inbound",
    "requeue_webhooks",
    "resend",
    "rotate_secret",
    "send_test",
    "tell_owners",
]
