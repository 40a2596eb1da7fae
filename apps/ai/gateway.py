"""The only way to a model: switches, breaker, reservation, one attempt, settlement. Tools are never offered.

The address is the operator's own; nothing a tenant writes chooses it. Redirects are not followed, proxies of the
environment are not used, and an answer is read up to a size and a time.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from apps.tenants.refusals import Unavailable

from . import rules, switches
from .actions.ledger import ANSWERED, Charge, reserve, settle
from .breaker import breaker
from .models import UsageEvent, UsageSource
from .provider import Provider

log = structlog.get_logger(__name__)
TIMEOUT_SECONDS = 10.0
CONNECT_SECONDS = 3.0
LARGEST_ANSWER = 256 * 1024
# OpenAI's own newer models refuse the older word; others know only that one.
NEWER_LIMIT_HOSTS = frozenset({"api.openai.com"})


@dataclass(frozen=True)
class Call:
    """One question: what for, about what, by whom, and the messages."""

    feature: str
    object_type: str
    object_id: UUID
    actor: UUID | None
    messages: tuple[dict[str, str], ...]
    max_output_tokens: int
    template_version: str
    redactions: Mapping[str, int] = field(default_factory=dict)
    attempt: int = 1

    @property
    def prompt_sha256(self) -> str:
        return hashlib.sha256(json.dumps(self.messages, ensure_ascii=False).encode()).hexdigest()

    @property
    def input_bound(self) -> int:
        return rules.input_bound(message["content"] for message in self.messages)


@dataclass(frozen=True)
class Answer:
    """What came back, with its entry in the ledger."""

    text: str
    model: str
    event: UsageEvent


class CallFailed(Unavailable):
    """No answer: `outcome` is how it failed, and `may_pass` whether trying later makes sense."""

    def __init__(self, outcome: str, *, may_pass: bool) -> None:
        super().__init__(_("The model did not answer."), outcome=outcome)
        self.outcome, self.may_pass = outcome, may_pass


@dataclass(frozen=True)
class _Result:
    """One attempt as it went; `body` only where a whole answer came."""

    outcome: str
    source: UsageSource
    may_pass: bool = False
    body: Mapping[str, Any] | None = None


def most(call: Call, provider: Provider) -> int:
    """The most that the call can cost, in micro-units."""
    assert provider.price is not None
    return rules.estimate(provider.price, call.input_bound, call.max_output_tokens)


def complete(call: Call) -> Answer:
    """Ask the model once. Raises AiOff, BudgetSpent, CallFailed; each attempt that was made is in the ledger."""
    provider = switches.demand(call.feature)
    gate = breaker(provider.host)
    if not gate.lets_through():
        raise CallFailed("breaker_open", may_pass=True)
    held = reserve(charge(call, provider), most(call, provider))
    start = time.monotonic()
    result = _attempt(call, provider)
    latency = round((time.monotonic() - start) * 1000)
    body = result.body or {}
    source, tokens = result.source, rules.Tokens()
    if result.body is not None:
        counted = _tokens(body.get("usage"))
        source, tokens = (UsageSource.ESTIMATED, tokens) if counted is None else (UsageSource.PROVIDER, counted)
    event = settle(held, _amount(source, tokens, held.amount, provider), result.outcome, {
        "usage_source": source,
        "input_tokens": tokens.input,
        "cache_read_tokens": tokens.cache_read,
        "cache_write_tokens": tokens.cache_write,
        "output_tokens": tokens.output,
        "latency_ms": latency,
        "answered_model": _word(body.get("model")),
        "response_id": _word(body.get("id")),
        "finish_reason": _word(_first(body).get("finish_reason"))[:40],
    })  # fmt: skip
    (gate.failed if result.may_pass else gate.worked)()
    log.info("ai_call", feature=call.feature, outcome=result.outcome, micro_units=event.settled, latency_ms=latency)
    text = _text(body)
    if result.body is None or text is None:
        raise CallFailed(result.outcome, may_pass=result.may_pass)
    return Answer(text, event.answered_model or event.requested_model, event)


def charge(call: Call, provider: Provider) -> Charge:
    """What an attempt of this call is about, for the ledger."""
    assert provider.price is not None
    return Charge(
        feature=call.feature,
        object_type=call.object_type,
        object_id=str(call.object_id),
        actor_id=str(call.actor) if call.actor else None,
        host=provider.host,
        requested_model=provider.model,
        attempt=call.attempt,
        price_version=provider.price.version,
        template_version=call.template_version,
        prompt_sha256=call.prompt_sha256,
        redactions=dict(call.redactions),
    )


def _amount(source: UsageSource, tokens: rules.Tokens, held: int, provider: Provider) -> int:
    """What is charged: what was counted, all that was held where nobody counted, nothing where nothing was done."""
    assert provider.price is not None
    if source is UsageSource.PROVIDER:
        return rules.cost(provider.price, tokens)
    return held if source is UsageSource.ESTIMATED else 0


def _attempt(call: Call, provider: Provider) -> _Result:
    """One request, without a retry. What may have been worked on before it broke counts as used."""
    import httpx2
    import openai  # here, since loading it takes longer than all of Django, and most processes never ask a model

    transport = httpx2.Client(
        timeout=httpx2.Timeout(TIMEOUT_SECONDS, connect=CONNECT_SECONDS), follow_redirects=False, trust_env=False
    )
    client = openai.OpenAI(
        base_url=provider.url, api_key=settings.AI_KEY or "none", max_retries=0, http_client=transport,
        organization="", project="",
    )  # fmt: skip
    limit = "max_completion_tokens" if provider.host in NEWER_LIMIT_HOSTS else "max_tokens"
    asked: dict[str, Any] = {
        "model": provider.model, "messages": list(call.messages), limit: call.max_output_tokens, "stream": False,
    }  # fmt: skip
    try:
        with client, client.chat.completions.with_streaming_response.create(**asked) as response:
            return _read(response)
    except openai.APIStatusError as error:
        status = error.status_code
        return _Result(f"http_{status}", UsageSource.NONE, may_pass=status == 429 or status >= 500)
    except openai.APITimeoutError as error:
        never_sent = isinstance(error.__cause__, httpx2.ConnectTimeout | httpx2.PoolTimeout)
        return _Result("timeout", UsageSource.NONE if never_sent else UsageSource.ESTIMATED, may_pass=True)
    except openai.APIConnectionError as error:
        never_sent = isinstance(error.__cause__, httpx2.ConnectError)
        return _Result("unreachable", UsageSource.NONE if never_sent else UsageSource.ESTIMATED, may_pass=True)
    except (httpx2.TimeoutException, TimeoutError):
        return _Result("timeout", UsageSource.ESTIMATED, may_pass=True)
    except (openai.OpenAIError, httpx2.HTTPError):
        return _Result("broken", UsageSource.ESTIMATED, may_pass=True)


def _read(response: Any) -> _Result:
    """The whole body, within the time and the size that an answer has."""
    end, size, parts = time.monotonic() + TIMEOUT_SECONDS, 0, []
    if response.status_code != 200:
        return _Result(f"http_{response.status_code}", UsageSource.NONE)
    for part in response.iter_bytes():
        size += len(part)
        parts.append(part)
        if size > LARGEST_ANSWER:
            return _Result("too_large", UsageSource.ESTIMATED)
        if time.monotonic() > end:
            raise TimeoutError
    try:
        body = json.loads(b"".join(parts))
    except (ValueError, RecursionError):
        return _Result("garbage", UsageSource.ESTIMATED)
    if not isinstance(body, dict):
        return _Result("garbage", UsageSource.ESTIMATED)
    return _Result(ANSWERED if _text(body) is not None else "empty", UsageSource.PROVIDER, body=body)


def _first(body: Mapping[str, Any]) -> Mapping[str, Any]:
    choices = body.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, dict) else {}


def _text(body: Mapping[str, Any]) -> str | None:
    message = _first(body).get("message")
    content = message.get("content") if isinstance(message, dict) else None
    return content if isinstance(content, str) and content.strip() else None


def _word(value: Any) -> str:
    """A name that a provider gave, fit to keep: printable ASCII, short."""
    text = value if isinstance(value, str) else ""
    return "".join(sign for sign in text if " " <= sign <= "~")[:200]


def _tokens(usage: Any) -> rules.Tokens | None:
    """The provider's count; None where there is none or it is no count."""
    if not isinstance(usage, dict):
        return None
    details = usage.get("prompt_tokens_details")
    found = details if isinstance(details, dict) else {}
    given, written = _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))
    read, kept = _count(found.get("cached_tokens") or 0), _count(found.get("cache_write_tokens") or 0)
    if given is None or written is None or read is None or kept is None or read + kept > given:
        return None
    return rules.Tokens(given - read - kept, read, kept, written)


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**9 else None
