"""What monitoring can only know by looking: queues, ages, probes. The worker looks, every few seconds."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from django.db.models import Count, Min, Q
from procrastinate.contrib.django.models import ProcrastinateEvent, ProcrastinateJob

from apps.audit import anchored
from apps.audit.models import Entry, Waiting
from apps.comms.models import OutboxMessage, OutboxState
from apps.tenants import clock, measures
from apps.tenants.context import TenantContext, as_system, tenant_context
from apps.tenants.models import PLATFORM_TENANT_ID
from apps.tenants.probing import look_across
from apps.tenants.security_events import Kind
from apps.tenants.slots import slots

from .health import DOWN, dependencies
from .models import Alarm
from .streams.models import Health, Stream

EVERY_SECONDS = 15.0
KEPT = timedelta(days=180)
STATES = {True: "holds", False: "broken", None: "unknown"}
JOB_STATES = ("todo", "doing", "failed")
_next = 0.0


def observe() -> None:
    """Look, when it is time again; called about every second."""
    global _next
    if time.monotonic() < _next:
        return
    _next = time.monotonic() + EVERY_SECONDS
    with tenant_context(TenantContext(platform=True, credential="system")):
        _outbox()
        _jobs()
        _unsealed()
        _streams()
        _anchors()
        _alarms()
        _backup()
    for name, found in dependencies().items():
        measures.DEPENDENCY_UP.labels(name).set(found != DOWN)
    measures.OBSERVED_AT.set(time.time())


def probe_all() -> None:
    """Run the probe of every claim: as a visitor would, and over all tenants where it looks at rows of theirs."""
    for probe in slots.probes:
        try:
            state = STATES[look_across(probe).holds]
        except Exception:
            # A probe that fails is unknown, as on the page.
            state = "unknown"
        for name in STATES.values():
            measures.PROBES.labels(probe.key, name).set(name == state)
    measures.PROBED_AT.set(time.time())


def forget_old() -> int:
    """Security events are kept for half a year; returns how many went."""
    with tenant_context(TenantContext(platform=True, credential="system")):
        return Alarm.objects.filter(at__lt=clock.now() - KEPT).delete()[0]


def _age(moment: datetime | None) -> float:
    return max(0.0, (clock.now() - moment).total_seconds()) if moment else 0.0


def _outbox() -> None:
    counts = dict(OutboxMessage.objects.values_list("state").annotate(Count("pk")))
    for state in (OutboxState.QUEUED, OutboxState.FAILED):
        measures.OUTBOX.labels(state.value).set(counts.get(state.value, 0))
    oldest = OutboxMessage.objects.filter(state=OutboxState.QUEUED).aggregate(at=Min("queued_at"))["at"]
    measures.OUTBOX_OLDEST.set(_age(oldest))


def _jobs() -> None:
    counts = dict(ProcrastinateJob.objects.values_list("status").annotate(Count("pk")))
    for status in JOB_STATES:
        measures.JOBS.labels(status).set(counts.get(status, 0))
    due = Q(job__scheduled_at=None) | Q(job__scheduled_at__lte=clock.now())
    waiting = ProcrastinateEvent.objects.filter(due, type="deferred", job__status="todo")
    measures.JOBS_OLDEST.set(_age(waiting.aggregate(at=Min("at"))["at"]))


def _unsealed() -> None:
    waiting = Waiting.objects.values("pk")
    measures.UNSEALED_OLDEST.set(_age(Entry.objects.filter(pk__in=waiting).aggregate(at=Min("time"))["at"]))


def _streams() -> None:
    rows = list(Stream.objects.all())
    for health in Health:
        measures.STREAMS.labels(health.value).set(sum(one.health is health for one in rows))
    lags = []
    for tenant, pk in Stream.objects.running().values_list("tenant_id", "pk"):
        with as_system(tenant):
            lags += [one.lag.total_seconds() for one in Stream.objects.filter(pk=pk)]
    measures.STREAM_LAG.set(max(lags, default=0.0))


def _anchors() -> None:
    for one in anchored.holders():
        place = f"{one.kind}-{one.number}"
        measures.ANCHOR_AT.labels(place).set(one.at.timestamp() if one.at else 0)
        measures.ANCHOR_LAG.labels(place).set(one.behind.total_seconds())


def _alarms() -> None:
    counts = dict(Alarm.objects.unseen().values_list("kind").annotate(Count("pk")))
    for kind in Kind:
        measures.EVENTS_UNSEEN.labels(kind.value).set(counts.get(kind.value, 0))


def _backup() -> None:
    """From the platform's log, since the folder may be closed to the worker or on another machine."""
    made = Entry.objects.filter(tenant_id=PLATFORM_TENANT_ID, action="backup.made").order_by("-time").first()
    measures.BACKUP_AT.set(made.time.timestamp() if made else 0)
