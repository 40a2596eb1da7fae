"""Money, months and shares: pure. Amounts are micro-units of the currency, so a price per million tokens is per token."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, Decimal

MICRO = 1_000_000
ALERTS = (50, 80, 95)
# What a chat template adds around each message, and around all of them, at most.
TOKENS_A_MESSAGE = 16
TOKENS_A_CALL = 64


@dataclass(frozen=True)
class Price:
    """What one token costs, in micro-units, by what it was; `version` says where the price comes from."""

    input: Decimal
    output: Decimal
    cache_read: Decimal
    cache_write: Decimal
    version: str

    @property
    def dearest_input(self) -> Decimal:
        return max(self.input, self.cache_read, self.cache_write)


@dataclass(frozen=True)
class Tokens:
    """What a provider counted. `input` is what was neither read from nor written to its cache."""

    input: int = 0
    cache_read: int = 0
    cache_write: int = 0
    output: int = 0


def input_bound(texts: Iterable[str]) -> int:
    """No tokenizer makes more tokens than this: each holds at least one byte of the text, but for the template's own."""
    return TOKENS_A_CALL + sum(len(text.encode()) + TOKENS_A_MESSAGE for text in texts)


def estimate(price: Price, bound: int, max_output_tokens: int) -> int:
    """The most that a call can cost: every token at the dearest rate of its side, rounded up."""
    return _whole(price.dearest_input * bound + price.output * max_output_tokens)


def cost(price: Price, tokens: Tokens) -> int:
    """What the counted tokens cost, rounded up."""
    return _whole(
        price.input * tokens.input
        + price.cache_read * tokens.cache_read
        + price.cache_write * tokens.cache_write
        + price.output * tokens.output
    )


def _whole(amount: Decimal) -> int:
    return int(amount.to_integral_value(ROUND_CEILING))


def month_of(now: datetime) -> str:
    """`2026-11`, in UTC."""
    return now.astimezone(UTC).strftime("%Y-%m")


def next_month(now: datetime) -> datetime:
    """When a month's budget starts again."""
    first = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return (first + timedelta(days=32)).replace(day=1)


def percent(taken: int, limit: int) -> int:
    """How much of a limit is spent or held, rounded down, so that 100 means that nothing is left; 100 too for a limit
    of 0 that something was taken from."""
    if limit <= 0:
        return 100 if taken > 0 else 0
    return taken * 100 // limit


def alert_reached(share: int) -> int:
    """The highest alert at or below a share; 0 below the first."""
    return max((level for level in ALERTS if level <= share), default=0)


def limit_of(ceiling: int, cap: int | None) -> int:
    """What may be spent: the operator's ceiling, or the owner's own cap below it. A cap of 0 is 0."""
    return ceiling if cap is None else min(ceiling, cap)
