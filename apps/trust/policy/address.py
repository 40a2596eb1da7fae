"""The address for reports: good for one policy and two days, so that forging a report needs a page of ours first."""

from __future__ import annotations

import hashlib
import hmac
from datetime import date, timedelta
from functools import lru_cache

from django.conf import settings

from apps.tenants import clock

MAC_CHARS = 32
POLICY_CHARS = 16


def policy_hash(text: str) -> str:
    """Of the directives in any order, without the nonce of the moment."""
    parts = sorted(part.strip() for part in text.split(";") if not part.strip().startswith("report-uri"))
    return hashlib.sha256("; ".join(parts).encode()).hexdigest()[:POLICY_CHARS]


def report_address(policy: str, kind: str) -> str:
    """Where reports about this policy go today; `kind` is enforce or report."""
    return _address(policy, kind, clock.now().date(), settings.SECRET_KEY)


@lru_cache(maxsize=64)
def _address(policy: str, kind: str, day: date, secret: str) -> str:
    return f"/csp/{policy}/{kind}/{day:%Y%m%d}/{_mac(policy, kind, day, secret)}"


def is_signed(policy: str, kind: str, day: str, mac: str) -> bool:
    """Whether we have given out this address, today or yesterday."""
    today = clock.now().date()
    for one in (today, today - timedelta(days=1)):
        if f"{one:%Y%m%d}" == day:
            return hmac.compare_digest(_mac(policy, kind, one, settings.SECRET_KEY), mac)
    return False


def _mac(policy: str, kind: str, day: date, secret: str) -> str:
    text = f"csp report {policy} {kind} {day.isoformat()}"
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()[:MAC_CHARS]
