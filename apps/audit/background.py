"""The worker's own verification: every minute, what has come since the last time, log by log, within a bound."""

from __future__ import annotations

import time

from apps.tenants.context import TenantContext, as_system, tenant_context
from apps.tenants.models import Tenant

from . import evidence, reconcile
from .models import Verified
from .reconcile import last_reconciliation
from .verify import keep, verify

EVERY_SECONDS = 60.0
LONGEST_SECONDS = 10.0
MOST_ENTRIES = 50_000
_last = -EVERY_SECONDS


def beat() -> None:
    """Verify what is new in every log, the longest unverified first; what is left over is for the next minute."""
    global _last
    started = time.monotonic()
    if started - _last < EVERY_SECONDS:
        return
    _last = started
    with tenant_context(TenantContext(platform=True, credential="system")):
        seen = dict(Verified.objects.values_list("tenant_id", "at"))
        tenants = sorted(Tenant.objects.values_list("pk", flat=True), key=lambda pk: (pk in seen, seen.get(pk)))
    for tenant in tenants:
        if time.monotonic() - started > LONGEST_SECONDS:
            return
        with as_system(tenant):
            verify_what_is_new()


def verify_what_is_new() -> None:
    """One step in the tenant in force. A log that was found broken stays so until all of it is verified again.

    A tenant that was never compared with its log is, so that its page can tell at once; from then on every hour.
    """
    if last_reconciliation() is None:
        reconcile.keep(reconcile.reconcile())
    last = Verified.objects.first()
    if last is not None and (not last.whole or last.until == evidence.sealed_size()):
        return
    keep(verify(incremental=True, most=MOST_ENTRIES))
