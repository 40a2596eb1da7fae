"""Stripe, as far as plans need it: what a customer has bought now, and where they pay. Its answers are read, never kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from django.conf import settings
from django.utils.translation import gettext as _

from apps.tenants.refusals import Refused, Unavailable

if TYPE_CHECKING:
    import stripe

TIMEOUT_SECONDS = 10.0
MOST = 100
# A subscription that is past due is still being collected; whoever has one keeps the plan meanwhile.
LIVE = frozenset({"active", "trialing", "past_due"})
T = TypeVar("T")


@dataclass(frozen=True)
class Bought:
    """One subscription at Stripe: whose it is, whether it counts now, and which prices it has."""

    id: str
    customer: str
    tenant: UUID | None
    status: str
    prices: tuple[str, ...]

    @property
    def is_live(self) -> bool:
        return self.status in LIVE


def is_configured() -> bool:
    """Whether this installation sells plans by Stripe."""
    return bool(settings.STRIPE_KEY and settings.STRIPE_PRICES)


def plan_key(price: str) -> str | None:
    """The plan that a price buys; None for one that nobody has named."""
    return next((key for key, prices in settings.STRIPE_PRICES.items() if price in prices), None)


def bought(subscription_id: str) -> Bought:
    """One subscription as Stripe has it now. Raises Unavailable, Refused where there is none."""
    return _read(_ask(lambda api: api.v1.subscriptions.retrieve(subscription_id)))


def all_of(customer: str) -> list[Bought]:
    """Every subscription of a customer as Stripe has them now, ended ones too. Raises Unavailable, Refused."""
    found = _ask(lambda api: api.v1.subscriptions.list({"customer": customer, "status": "all", "limit": MOST}))
    return [_read(one) for one in found.data]


def checkout_url(*, tenant: UUID, key: str, customer: str, email: str, back: str) -> str:
    """A page at Stripe on which this plan is bought for this tenant. Raises Refused for a plan without a price."""
    prices = settings.STRIPE_PRICES.get(key, [])
    if not prices:
        raise Refused(_("This plan cannot be bought here."), code="no_price")
    params: dict[str, Any] = {
        "mode": "subscription",
        "line_items": [{"price": prices[0], "quantity": 1}],
        "client_reference_id": str(tenant),
        "subscription_data": {"metadata": {"tenant": str(tenant)}},
        "success_url": f"{back}?paid=1",
        "cancel_url": back,
        **({"customer": customer} if customer else {"customer_email": email}),
    }
    return _https(_ask(lambda api: api.v1.checkout.sessions.create(params)).url)  # type: ignore[arg-type]


def portal_url(*, customer: str, back: str) -> str:
    """A page at Stripe on which a customer changes or ends what they have bought. Raises Unavailable, Refused."""
    params: Any = {"customer": customer, "return_url": back}
    return _https(_ask(lambda api: api.v1.billing_portal.sessions.create(params)).url)


def _ask(question: Callable[[stripe.StripeClient], T]) -> T:
    if not settings.STRIPE_KEY:
        raise Unavailable(_("Paying by Stripe is not set up here."))
    import stripe  # here, since it is slow to load, and most processes never ask it

    api = stripe.StripeClient(
        settings.STRIPE_KEY,
        base_addresses={"api": settings.STRIPE_API},
        max_network_retries=0,
        http_client=stripe.HTTPXClient(timeout=TIMEOUT_SECONDS, allow_sync_methods=True),
    )
    try:
        return question(api)
    except stripe.InvalidRequestError as error:
        raise Refused(_("Stripe does not know this, or refuses it."), code="stripe_refused") from error
    except stripe.StripeError as error:
        raise Unavailable(_("Stripe does not answer; try again in a moment."), retry_after_seconds=30) from error


def _read(found: stripe.Subscription) -> Bought:
    said: dict[str, Any] = found.to_dict()
    customer, metadata = said["customer"], said.get("metadata") or {}
    items = said["items"]["data"]
    return Bought(
        id=str(said["id"]),
        customer=str(customer["id"] if isinstance(customer, dict) else customer),
        tenant=_uuid(str(metadata.get("tenant", ""))),
        status=str(said["status"]),
        prices=tuple(str(item["price"]["id"]) for item in items),
    )


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _https(url: str | None) -> str:
    if not url or not url.startswith("https://"):
        raise Unavailable(_("Stripe gave no page to go on to."))
    return url
