"""What this room puts into the shell, the task's page, the usage page and the worker."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from apps.approvals.models import Assignment, AssignmentState
from apps.forms.models import Submission
from apps.forms.stored import AS_THE_TENANT
from apps.tenants import clock
from apps.tenants.context import TenantContext, as_system, current, tenant_context
from apps.tenants.slots import Dependency, Heartbeat, Probe, SettingsPage, Stored, TaskPanel, UsageMeter, slots

from . import probes, reach
from .actions import expire_due
from .models import Reaction, Reservation, ReservationState, Summary, SummaryState
from .switches import state
from .usage import reading

STORED = (
    Stored(
        "ai.summaries", _("AI summaries, and what people said of them"), ("ai_summary", "ai_reaction"), AS_THE_TENANT
    ),
    Stored(
        "ai.calls",
        _("Calls of the AI model, with what each cost"),
        ("ai_usageevent", "ai_reservation", "ai_budget", "ai_allowance"),
        AS_THE_TENANT,
    ),
)
EXPIRE_EVERY_SECONDS = 5.0
_expired_at = 0.0


def fill_slots() -> None:
    """Called once, when the room is ready."""
    slots.settings_pages.add(SettingsPage("ai", _("AI"), "settings.read", "ai:settings", 65, "sparkles"))
    slots.task_panels.add(TaskPanel("ai.summary", "ai/panel.html", summary_panel))
    slots.usage_meters.add(UsageMeter("ai_budget", _("AI budget this month"), "micro_usd", reading, "ai:settings"))
    slots.heartbeats.add(Heartbeat("ai.expire", expire_everywhere))
    slots.dependencies.add(Dependency("ai", reach.check))
    slots.stored.fill(STORED)
    slots.probes.add(Probe("ai.budget", probes.budget))
    slots.probes.add(Probe("ai.ledger", probes.ledger))


def summary_panel(request: HttpRequest, assignment: Assignment, submission: Submission) -> Mapping[str, Any]:
    """The newest summary of the submission, what this person said of it, and whether one can be asked for."""
    now = state()
    found = Summary.objects.filter(submission=submission).select_related("revision").order_by("-asked_at").first()
    is_open = assignment.state == AssignmentState.OPEN
    said = Reaction.objects.filter(summary=found, person=current().member).first() if found else None
    is_stale = found is not None and found.revision_id != submission.current_revision_id
    return {
        "assignment": assignment,
        "off": now.off,
        "reason": now.reason,
        "summary": found,
        "is_open": is_open,
        "is_stale": is_stale,
        "said": said,
        "may_ask": now.off is None and is_open and (found is None or is_stale or found.state == SummaryState.FAILED),
        "host": now.provider.host,
        "form_id": "decision" if is_open and submission.state == "in_review" else "",
    }


def expire_everywhere() -> None:
    """Settle what nobody came back for, tenant by tenant; every few seconds."""
    global _expired_at
    if time.monotonic() - _expired_at < EXPIRE_EVERY_SECONDS:
        return
    _expired_at = time.monotonic()
    with tenant_context(TenantContext(platform=True, credential="system")):
        due = Reservation.objects.filter(state=ReservationState.HELD, expires_at__lte=clock.now())
        tenants = set(due.values_list("tenant_id", flat=True)[:500])
    for tenant in tenants:
        with as_system(tenant):
            expire_due()
