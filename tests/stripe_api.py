"""A small fake of Stripe's API over real HTTP: what the product asks of it, answered from what a test says is true."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.receiver import Receiver, receiving, says


@dataclass
class FakeStripe:
    """`subscriptions` by id; `sessions` are the forms that were posted to make a page."""

    receiver: Receiver
    subscriptions: dict[str, dict[str, Any]] = field(default_factory=dict)
    sessions: list[dict[str, str]] = field(default_factory=list)
    is_down: bool = False

    def buy(self, identity: str, tenant: Any, price: str, *, customer: str = "cus_1", status: str = "active") -> None:
        """A subscription is, from now on, as said here."""
        self.subscriptions[identity] = {
            "id": identity,
            "object": "subscription",
            "customer": customer,
            "status": status,
            "metadata": {"tenant": str(tenant)},
            "items": {"object": "list", "data": [{"id": "si_1", "price": {"id": price, "object": "price"}}]},
        }

    def answer(self, handler: Any) -> None:
        status, body = (500, {"error": {"message": "away"}}) if self.is_down else self._reply(self.receiver.calls[-1])
        says(status, json.dumps(body).encode(), Content_Type="application/json")(handler)

    def _reply(self, call: Any) -> tuple[int, dict[str, Any]]:
        parts = urlsplit(call.path)
        if call.method == "POST":
            self.sessions.append({name: values[0] for name, values in parse_qs(call.body.decode()).items()})
            kind = "checkout.session" if "checkout" in parts.path else "billing_portal.session"
            return 200, {"id": "s_1", "object": kind, "url": f"https://pay.stripe.example/{kind}"}
        if parts.path == "/v1/subscriptions":
            customer = parse_qs(parts.query)["customer"][0]
            found = [one for one in self.subscriptions.values() if one["customer"] == customer]
            return 200, {"object": "list", "data": found, "has_more": False, "url": parts.path}
        one = self.subscriptions.get(parts.path.rsplit("/", 1)[-1])
        missing = {"error": {"type": "invalid_request_error", "message": "No such subscription"}}
        return (200, one) if one else (404, missing)


@contextmanager
def fake_stripe() -> Iterator[FakeStripe]:
    """Stripe on a free port of this machine."""
    with receiving() as receiver:
        fake = FakeStripe(receiver)
        receiver.answer = fake.answer
        yield fake
