"""Whole verifications: a short log is walked while whoever asked waits, a long one by a job, and the pages say which."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime, timedelta

import structlog
from django.db import transaction
from django.db.models import QuerySet

from apps.tenants import clock
from apps.tenants.context import TenantContext, as_system, current_tenant, tenant_context
from apps.tenants.jobs import defer, defer_apart
from apps.tenants.models import PLATFORM_TENANT_ID, Tenant

from . import reconcile
from .checkpoints import NotSigned
from .instance import check_instance
from .models import Verified
from .sealer import seal
from .verify import LARGEST_INLINE, Verification, is_long, keep, verify
from .walk import Damage

log = structlog.get_logger(__name__)
GIVEN_UP_AFTER = timedelta(hours=1)  # the hourly walk comes by then
LONGEST_SECONDS = 15.0  # that a Super Admin waits; a proxy gives up after a minute


def seal_and_verify() -> Verification:
    """Seal what waits, walk the whole log of the tenant in force, look for acts without an entry, let the pages know."""
    seal(current_tenant())
    made = with_instance(verify())
    keep(made)
    reconcile.keep(reconcile.reconcile())
    if not made.whole:
        log.error("audit_chain_broken", first_bad=made.first_bad, damage=made.kind, reason=made.reason)
    return made


def with_instance(made: Verification) -> Verification:
    """What was found of the platform's log and of the log of all checkpoints, which stands behind its wall; another's as it is.

    A place of anchors that cannot be asked breaks nothing: the sealer, which signs nothing meanwhile, raises the alarm.
    """
    if not made.whole or current_tenant() != PLATFORM_TENANT_ID:
        return made
    try:
        check_instance()
    except Damage as fault:
        return replace(made, whole=False, kind=fault.kind.value, first_bad=fault.seq, reason=fault.reason)
    except NotSigned as fault:
        log.warning("anchors_not_compared", reason=str(fault))
    return made


def verify_now() -> Verification | None:
    """Verify the whole log of the tenant in force; None when it is so long that a job does it, once for all who ask."""
    seal(current_tenant())
    if not is_long():
        return seal_and_verify()
    if not Verified.objects.exists():
        keep(verify(incremental=True, most=LARGEST_INLINE))
    with transaction.atomic():
        kept = Verified.objects.select_for_update().get()
        if kept.asked_at is None or clock.now() - kept.asked_at > GIVEN_UP_AFTER:
            Verified.objects.filter(pk=kept.pk).update(asked_at=clock.now())
            defer("audit.verify_log", queue="audit", lock="audit.verify_log")
    return None


def verify_asked() -> None:
    """What the job does that `verify_now` queues; nothing where the hourly walk has come before it."""
    if Verified.objects.filter(asked_at__isnull=False).exists():
        seal_and_verify()


def verify_everywhere() -> tuple[list[tuple[str, Verification]], int]:
    """Verify the logs of all tenants, the longest unverified first, as far as somebody can wait; a job does the rest.

    Returns those that were walked by the tenant's address, and how many are left to the job. A Super Admin asks.
    """
    started, moment = time.monotonic(), clock.now()
    waiting = not_verified_since(moment)
    found: list[tuple[str, Verification]] = []
    left = 0
    for number, tenant in enumerate(waiting):
        if time.monotonic() - started > LONGEST_SECONDS:
            left += len(waiting) - number
            break
        with as_system(tenant.pk):
            if is_long():
                left += 1
            else:
                found.append((tenant.slug, seal_and_verify()))
    if left:
        defer_apart("audit.verify_rest", queue="audit", since=moment.isoformat())
    return sorted(found, key=lambda one: one[0]), left


def not_verified_since(moment: datetime) -> list[Tenant]:
    """Tenants whose log was not walked from its first entry since then, the longest ago first."""
    with tenant_context(TenantContext(platform=True, credential="system")):
        walked = {tenant: at for tenant, at in Verified.objects.values_list("tenant_id", "full_at") if at}
        tenants = sorted(Tenant.objects.order_by("slug"), key=lambda one: (one.pk in walked, walked.get(one.pk)))
    return [one for one in tenants if one.pk not in walked or walked[one.pk] < moment]


def verify_rest(since: datetime) -> None:
    """Verify every log that nobody has walked from its first entry since then."""
    for tenant in not_verified_since(since):
        with as_system(tenant.pk):
            seal_and_verify()


def last_verified() -> QuerySet[Verified]:
    """What the last verification of each log found; read across tenants, by a Super Admin."""
    return Verified.objects.select_related("tenant")
