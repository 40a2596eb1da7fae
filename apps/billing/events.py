"""What Stripe tells by webhook: a hint that a subscription has changed, and nothing that is believed as it stands."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

from apps.tenants.slots import Inbound

from . import actions

SUBSCRIPTION = re.compile(r"sub_[A-Za-z0-9_]{1,250}\Z")


def deal_with(event: Inbound) -> str | None:
    """Follow a subscription that names its tenant; None for other events."""
    if not event.type.startswith("customer.subscription."):
        return None
    data = event.body.get("data")
    told: Any = data.get("object") if isinstance(data, dict) else None
    metadata = told.get("metadata") if isinstance(told, dict) else None
    if not isinstance(metadata, dict) or not SUBSCRIPTION.match(str(told.get("id", ""))):
        return "It names no subscription and tenant."
    try:
        tenant = UUID(str(metadata.get("tenant", "")))
    except ValueError:
        return "It names no tenant."
    return actions.follow(told["id"], tenant)
