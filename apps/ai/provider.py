"""The one model provider of an installation, as its environment names it, and what its tokens cost."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from .rules import MICRO, Price

LOOPBACK = {"localhost", "127.0.0.1", "::1"}


@dataclass(frozen=True)
class Provider:
    """Where calls go and which model is asked; `fault` says why none can be made, empty when all is well."""

    url: str
    host: str
    model: str
    price: Price | None
    fault: str = ""

    @property
    def is_configured(self) -> bool:
        return bool(self.url)


def provider() -> Provider:
    """What the environment says now."""
    return _read(settings.AI_URL, settings.AI_MODEL, settings.AI_PRICE)


@lru_cache(maxsize=16)
def _read(url: str, model: str, price: str) -> Provider:
    """The provider of these three words; a fault for what cannot be used, never an exception."""
    if not url:
        return Provider("", "", "", None)
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    if fault := _fault(parts, host, model):
        return Provider(url, host, model, None, fault)
    found = own_price(price) if price else listed_price(model, url)
    if found is None:
        known = "ORKESTRA_AI_PRICE cannot be read" if price else "the price of this model at this host is not known"
        return Provider(url, host, model, None, f"{known}; set ORKESTRA_AI_PRICE, 0 for a model of your own")
    return Provider(url, host, model, found)


def _fault(parts: Any, host: str, model: str) -> str:
    if parts.scheme not in {"http", "https"} or not host:
        return "ORKESTRA_AI_URL is no http or https address"
    if parts.username or parts.password or parts.query or parts.fragment:
        return "ORKESTRA_AI_URL carries more than an address; the key goes into ORKESTRA_AI_KEY"
    if parts.scheme == "http" and host not in LOOPBACK and "." in host:
        return "ORKESTRA_AI_URL is not encrypted; http is taken for this machine and its containers only"
    return "" if model else "ORKESTRA_AI_MODEL is not set"


def own_price(text: str) -> Price | None:
    """`0.15/0.60`: dollars a million tokens, in and out; `0` for both. None for what cannot be read."""
    given, _slash, written = text.partition("/")
    try:
        rates = Decimal(given.strip()), Decimal((written or given).strip())
    except InvalidOperation:
        return None
    if not all(rate.is_finite() and 0 <= rate < MICRO for rate in rates):
        return None
    return Price(rates[0], rates[1], rates[0], rates[0], f"own {text.strip()}"[:100])


def listed_price(model: str, url: str) -> Price | None:
    """The dearest rates of the list that genai-prices ships; None for a model or a host that it does not know."""
    from genai_prices import Usage, calc_price  # here: only an installation with a model pays for loading the list

    try:
        found: Any = calc_price(Usage(input_tokens=1, output_tokens=1), model_ref=model, provider_api_url=url)
    except LookupError:
        return None
    rates = found.model_price
    given, written = _dearest(rates.input_mtok), _dearest(rates.output_mtok)
    if given is None or written is None:
        return None
    read, kept = _dearest(rates.cache_read_mtok), _dearest(rates.cache_write_mtok)
    name = f"genai-prices {version('genai-prices')} {found.provider.id}/{found.model.id}"
    return Price(given, written, given if read is None else read, given if kept is None else kept, name[:100])


def _dearest(rate: Any) -> Decimal | None:
    """A rate, or of one in tiers the highest: estimates must not be passed, and our calls are far below any tier."""
    if rate is None:
        return None
    if isinstance(rate, Decimal | int | float):
        return Decimal(str(rate))
    return max([Decimal(str(rate.base)), *(Decimal(str(tier.price)) for tier in rate.tiers)])
