"""Opening a case, and moving it along its path."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from apps.accounts.models import Member
from apps.accounts.rules import Role
from apps.audit.actions import record
from apps.comms.actions import publish_event
from apps.tenants import clock
from apps.tenants.context import current_tenant
from apps.tenants.models import Tenant
from apps.tenants.refusals import Conflict, Forbidden

from .. import mails
from ..models import (
    Assignment,
    AssignmentState,
    Case,
    CaseState,
    CaseStep,
    PathVersion,
    StepState,
    deciders_of,
    who_decide,
)
from ..rules import deadlines, quorum, route
from ..rules.definition import Step

OPEN_STATES = (CaseState.IN_REVIEW, CaseState.CHANGES_REQUESTED)


@transaction.atomic(savepoint=False)
def open_case(
    *,
    subject_id: UUID,
    subject_revision: UUID,
    subject_sha256: str,
    collection_id: UUID,
    title: str,
    reference: str,
    facts: dict[str, Any],
    path_version: PathVersion,
    requester: Member | None,
    contact: str = "",
) -> Case:
    """Start a path over a subject, and open its first steps; `facts` are what conditions call `data`.

    Without a requester it came from outside, and `contact`, an e-mail address or nothing, is told at each step.
    """
    case = Case.objects.create(
        subject_id=subject_id,
        subject_revision=subject_revision,
        subject_sha256=subject_sha256,
        collection_id=collection_id,
        title=title[:200],
        reference=reference,
        facts=facts,
        path_version=path_version,
        requester=requester,
        contact=contact,
    )
    record("case.opened", _subject(case), facts={"path": path_version.sha256, "sha256": subject_sha256})
    advance(case)
    return case


@transaction.atomic(savepoint=False)
def resubmit(case: Case, *, subject_revision: UUID, subject_sha256: str, facts: dict[str, Any], by: Member) -> Case:
    """Start the path again over a corrected subject; earlier votes stay as history and no longer count.

    Raises Conflict unless changes were requested, Forbidden unless by the requester.
    """
    case = Case.objects.select_for_update().get(pk=case.pk)
    if case.requester_id != by.pk:
        raise Forbidden(_("Only the person who sent it can correct it."))
    if case.state != CaseState.CHANGES_REQUESTED:
        raise Conflict(_("No changes are asked for."))
    case.subject_revision, case.subject_sha256, case.facts = subject_revision, subject_sha256, facts
    case.state, case.round = CaseState.IN_REVIEW, case.round + 1
    case.save()
    record("case.resubmitted", _subject(case), facts={"round": case.round, "sha256": subject_sha256})
    advance(case)
    return case


@transaction.atomic(savepoint=False)
def withdraw(case: Case, *, by: Member) -> Case:
    """Take a subject back while it is open. Raises Conflict when it has ended, Forbidden unless by the requester."""
    case = Case.objects.select_for_update().get(pk=case.pk)
    if case.requester_id != by.pk:
        raise Forbidden(_("Only the person who sent it can take it back."))
    if case.state not in OPEN_STATES:
        raise Conflict(_("It has ended already."))
    close_open_steps(case)
    return end(case, CaseState.WITHDRAWN)


def advance(case: Case) -> None:
    """Open, skip or end: what follows from the steps' states, with the case's row locked by the caller."""
    steps = case.path_version.steps
    by_key = {step.key: step for step in steps}
    states = dict(CaseStep.objects.filter(case=case, round=case.round).values_list("key", "state"))
    found = route.after(steps, states, case.facts)
    for key in found.skip:
        if key not in states:
            _skip(case, by_key[key], steps)
    if found.stuck:
        _stuck(case, by_key[found.stuck], steps, found.reason)
    for key in found.open:
        if key not in states:
            _open(case, by_key[key], steps)
    if found.ends:
        end(case, CaseState.APPROVED)


def _new_step(case: Case, step: Step, steps: tuple[Step, ...], **fields: Any) -> CaseStep:
    return CaseStep.objects.create(
        case=case,
        key=step.key,
        name=step.name,
        group=step.group,
        order=steps.index(step),
        round=case.round,
        quorum={"kind": step.quorum.kind.value, "n": step.quorum.n},
        opened_at=clock.now(),
        **fields,
    )


def _skip(case: Case, step: Step, steps: tuple[Step, ...]) -> None:
    made = _new_step(case, step, steps, state=StepState.SKIPPED, closed_at=clock.now())
    record("step.skipped", _subject(case), made, facts={"step": step.key, "when": step.when.source})


def _stuck(case: Case, step: Step, steps: tuple[Step, ...], reason: str) -> None:
    """Nothing is decided by accident: the step stays closed and the tenant's owners are told."""
    if CaseStep.objects.filter(case=case, round=case.round, key=step.key).exists():
        return
    made = _new_step(case, step, steps, state=StepState.STUCK, reason=reason[:300])
    record("case.stuck", _subject(case), made, facts={"step": step.key}, outcome="refused")
    owners = Member.objects.active().filter(role=Role.OWNER).select_related("user")
    mails.path_is_stuck(case, made, list(owners))


def _open(case: Case, step: Step, steps: tuple[Step, ...]) -> None:
    people = eligible(step, without=shut_out(case, step))
    if not quorum.is_possible(step.quorum, len(people)):
        reason = _("Too few people may decide here: %(n)s are left without the requester.") % {"n": len(people)}
        if step.not_same_as:
            reason = _(
                "Too few people may decide here: %(n)s are left without the requester and whoever decided %(steps)s."
            )
            reason = reason % {"n": len(people), "steps": ", ".join(step.not_same_as)}
        _stuck(case, step, steps, reason)
        return
    made = _new_step(case, step, steps, state=StepState.OPEN, eligible_count=len(people), due_at=due_at(step))
    facts = {"step": step.key, "asked": [str(person.pk) for person in people], "quorum": made.quorum}
    record("step.opened", _subject(case), made, facts=facts)
    ask(case, made, people)


def due_at(step: Step) -> datetime | None:
    """When a step that opens now is due, in the tenant's business days; None where it has no deadline."""
    if step.due_business_days is None:
        return None
    zone = ZoneInfo(Tenant.objects.get(pk=current_tenant()).timezone)
    return deadlines.due_after(clock.now(), step.due_business_days, zone)


def ask(case: Case, made: CaseStep, people: list[Member]) -> None:
    """Ask these people to decide on an open step, and tell them; the step's own entry names them."""
    asked = [Assignment(step=made, person=person, created_at=clock.now()) for person in people]
    Assignment.objects.bulk_create(asked)
    mails.tasks_wait(case, made, asked)


def shut_out(case: Case, step: Step) -> set[UUID]:
    """Who may not decide on this step: the requester, and whoever decided a step that it must differ from."""
    people = deciders_of(case, step.not_same_as) if step.not_same_as else set()
    return people | ({case.requester_id} if case.requester_id else set())


def eligible(step: Step, *, without: set[UUID]) -> list[Member]:
    """Active members whom the step names and whose role decides, without those who are shut out, each once."""
    named = Q(pk__in=[])
    for approver in step.approvers:
        if approver.type == "team":
            named |= Q(pk__in=Member.objects.in_team(approver.id).values("pk"))
        elif approver.type == "role":
            named |= Q(role=approver.id)
        else:
            named |= Q(pk=approver.id)
    people = who_decide().filter(named).exclude(pk__in=without)
    return list(people.select_related("user", "tenant").order_by("pk"))


def close_open_steps(case: Case) -> None:
    """Nobody is asked any more."""
    now = clock.now()
    steps = CaseStep.objects.filter(case=case, state__in=[StepState.OPEN, StepState.STUCK])
    Assignment.objects.filter(step__case_id=case.pk, state=AssignmentState.OPEN).update(state=AssignmentState.CLOSED)
    steps.update(state=StepState.CLOSED, closed_at=now)


def end(case: Case, state: CaseState) -> Case:
    """Close the case in a final state, record it and tell the requester."""
    case.state, case.closed_at = state, clock.now()
    case.save()
    record(f"case.{state.value}", _subject(case), facts={"state": state.value, "round": case.round})
    publish_event(f"submission.{state.value}", **told(case))
    if state is not CaseState.WITHDRAWN:
        mails.case_decided(case)
    return case


def told(case: Case) -> dict[str, Any]:
    """What webhooks hear about a case: which subject it is of, and its state."""
    return {
        "submission": case.subject_id,
        "form": case.collection_id,
        "reference": case.reference,
        "state": str(case.state),
    }


def _subject(case: Case) -> Any:
    return mails.subject_of(case)
