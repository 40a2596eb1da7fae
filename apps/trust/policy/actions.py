"""Keep reports, and start and end a candidate."""

from __future__ import annotations

import hashlib

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from apps.audit.actions import Target, record_platform
from apps.tenants import clock
from apps.tenants.models import PLATFORM_TENANT_ID
from apps.tenants.refusals import Invalid
from apps.tenants.security_events import Kind, security_event_now_and_then

from ..models import CandidatePolicy, Disposition, PolicyReport
from .candidate import forget
from .rules import DIRECTIVES, Violation

MOST_KEPT = 1000
ABOUT = Target("installation", PLATFORM_TENANT_ID, "Orkestra")


def keep(violation: Violation, *, policy: str, disposition: str) -> str:
    """Count a known way of breaking the policy, or keep a new one: repeated, stored, or full when too many are known."""
    parts = (policy, disposition, violation.page, violation.directive, violation.blocked)
    key = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    now = clock.now()
    if PolicyReport.objects.filter(key=key).update(count=F("count") + 1, last_at=now):
        return "repeated"
    if PolicyReport.objects.count() >= MOST_KEPT:
        return "full"
    row = PolicyReport(
        key=key,
        policy=policy,
        disposition=disposition,
        page=violation.page[:200],
        directive=violation.directive,
        blocked=violation.blocked,
        first_at=now,
        last_at=now,
    )
    PolicyReport.objects.bulk_create([row], ignore_conflicts=True)
    if disposition == Disposition.ENFORCE:
        about = f"{violation.page} {violation.directive}"
        security_event_now_and_then(
            Kind.POLICY_VIOLATED, about=about, page=violation.page, directive=violation.directive, report=str(row.pk)
        )
    return "stored"


def parsed(text: str) -> dict[str, list[str]]:
    """`img-src 'self'; style-src 'self' 'nonce'` as directives. Raises Invalid for what is no directive of ours."""
    found: dict[str, list[str]] = {}
    for part in text.split(";"):
        name, *values = part.split() or [""]
        if not name:
            continue
        if name not in DIRECTIVES:
            raise Invalid({"policy": [_("%(name)s is no directive that a candidate can change.") % {"name": name}]})
        found[name] = values
    if not found:
        raise Invalid({"policy": [_("Name at least one directive.")]})
    return found


@transaction.atomic
def start_candidate(changes: dict[str, list[str]]) -> CandidatePolicy:
    """From now on pages carry it, report-only; an earlier one ends."""
    end_candidate()
    made = CandidatePolicy.objects.create(changes=changes)
    record_platform("policy.candidate_started", ABOUT, facts={"candidate": str(made.pk), "policy": str(made)})
    forget()
    return made


@transaction.atomic
def end_candidate() -> int:
    """No candidate is sent any more; returns how many ended."""
    ended = 0
    for row in CandidatePolicy.objects.select_for_update().filter(ended_at=None):
        row.ended_at = clock.now()
        row.save(update_fields=["ended_at"])
        record_platform("policy.candidate_ended", ABOUT, facts={"candidate": str(row.pk)})
        ended += 1
    forget()
    return ended
