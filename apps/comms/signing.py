"""Secrets and headers of Standard Webhooks, for everything that is sent to addresses of a tenant's own."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterable

from standardwebhooks import Webhook

from apps.tenants import clock

SECRET_BYTES = 32
AGENT = "Orkestra-Webhooks/1"


def new_secret() -> str:
    """`whsec_` and base64 of 256 random bits, as Standard Webhooks writes it."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signed_headers(
    active: Iterable[str], identity: str, text: str, content_type: str = "application/json"
) -> dict[str, str]:
    """The headers of one message, with a signature for each active secret."""
    now = clock.now()
    return {
        "content-type": content_type,
        "user-agent": AGENT,
        "webhook-id": identity,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(Webhook(one).sign(identity, now, text) for one in active),
    }
