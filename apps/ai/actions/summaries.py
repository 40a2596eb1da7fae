"""A summary for the person who decides: asked for on their page, written by a job, advisory, and theirs to judge."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from apps.accounts.models import Member
from apps.approvals.models import Assignment, AssignmentState
from apps.audit.actions import record
from apps.forms.models import Submission
from apps.tenants import clock
from apps.tenants.jobs import defer
from apps.tenants.refusals import Conflict, Forbidden

from .. import gateway, prompts, switches
from ..document import Document, document
from ..models import Reaction, Summary, SummaryState, Verdict
from .ledger import BudgetSpent, note_refusal, would_fit

MAX_ATTEMPTS = 3
LOST_AFTER = timedelta(minutes=5)


class TryAgain(Exception):
    """The model did not answer now and will be asked again."""


def ask_summary(assignment: Assignment, *, by: Member) -> Summary:
    """Have one written of exactly the revision that waits for this person, or give the one that there is.

    Raises AiOff, BudgetSpent (having recorded it), Forbidden for a task that is not theirs, Conflict for one that is over.
    """
    try:
        return _ask(assignment, by=by)
    except BudgetSpent as spent:
        note_refusal(spent)
        raise


@transaction.atomic
def _ask(assignment: Assignment, *, by: Member) -> Summary:
    provider = switches.demand(switches.SUMMARY)
    if not Assignment.objects.seen_by(by).filter(pk=assignment.pk).exists():
        raise Forbidden()
    case = assignment.step.case
    if assignment.state != AssignmentState.OPEN:
        raise Conflict(_("This task no longer waits for you."))
    submission = Submission.objects.with_all().get(pk=case.subject_id)
    revision = submission.current_revision
    if revision is None or revision.pk != case.subject_revision or revision.sha256 != case.subject_sha256:
        raise Conflict(_("The submission is being changed; there is nothing to summarise now."))
    rows = Summary.objects.filter(revision=revision)
    _give_up_lost(rows)
    if found := rows.exclude(state=SummaryState.FAILED).first():
        return found
    asked = Summary(submission=submission, revision=revision, sha256=revision.sha256, asked_by=by, asked_at=clock.now())
    call = _call(asked, document(submission, revision))
    would_fit(gateway.charge(call, provider), gateway.most(call, provider))
    Summary.objects.bulk_create([asked], ignore_conflicts=True)
    made = rows.exclude(state=SummaryState.FAILED).get()
    if made.pk == asked.pk:
        defer("ai.write_summary", lock="ai", summary_id=str(made.pk))
        record("ai.summary_asked", submission, facts={"summary": str(made.pk), "sha256": made.sha256})
    return made


def _give_up_lost(rows: Any) -> None:
    """One whose job never ended stands in nobody's way."""
    old = rows.filter(state=SummaryState.WAITING, asked_at__lt=clock.now() - LOST_AFTER)
    old.update(state=SummaryState.FAILED, failure="lost", finished_at=clock.now())


def write_summary(summary_id: UUID) -> None:
    """Ask the model, once a run. Raises TryAgain while there is hope; whatever else happens stands in the row."""
    summary = Summary.objects.select_related("submission__form_version", "revision").get(pk=summary_id)
    if summary.state != SummaryState.WAITING:
        return
    if summary.submission.current_revision_id != summary.revision_id:
        return _fail(summary, "stale")
    summary.attempts += 1
    summary.save(update_fields=["attempts"])
    found = document(summary.submission, summary.revision)
    try:
        answered = gateway.complete(_call(summary, found))
        suggestion = prompts.read(answered.text)
    except switches.AiOff as off:
        return _fail(summary, f"off_{off.off.value}")
    except BudgetSpent:
        return _fail(summary, "budget")
    except gateway.CallFailed as failed:
        if failed.may_pass and summary.attempts < MAX_ATTEMPTS:
            raise TryAgain(failed.outcome) from None
        return _fail(summary, failed.outcome)
    except prompts.Unusable:
        return _fail(summary, "unusable")
    _keep(summary, suggestion, found, answered)


def _call(summary: Summary, found: Document) -> gateway.Call:
    return gateway.Call(
        feature=switches.SUMMARY,
        object_type="submission",
        object_id=summary.submission_id,
        actor=summary.asked_by_id,
        messages=found.prompt.messages,
        max_output_tokens=prompts.MAX_OUTPUT_TOKENS,
        template_version=prompts.TEMPLATE_VERSION,
        redactions=found.redactions,
        attempt=max(summary.attempts, 1),
    )


@transaction.atomic
def _keep(summary: Summary, suggestion: prompts.Suggestion, found: Document, answered: gateway.Answer) -> None:
    put_back = found.redactor.restore
    summary.text = {
        name: put_back(value) if isinstance(value, str) else [put_back(text) for text in value]
        for name, value in asdict(suggestion).items()
    }
    summary.state, summary.finished_at = SummaryState.DONE, clock.now()
    summary.model, summary.template_version = answered.model, prompts.TEMPLATE_VERSION
    summary.event = answered.event
    summary.was_cut, summary.withheld = found.prompt.was_cut, found.withheld
    summary.save()
    facts = {
        "summary": str(summary.pk),
        "sha256": summary.sha256,
        "event": str(answered.event.pk),
        "settled": answered.event.settled,
    }
    record("ai.summary_written", summary.submission, facts=facts)


@transaction.atomic
def _fail(summary: Summary, failure: str) -> None:
    summary.state, summary.failure, summary.finished_at = SummaryState.FAILED, failure[:40], clock.now()
    summary.save()
    record("ai.summary_failed", summary.submission, facts={"summary": str(summary.pk), "failure": summary.failure})


@transaction.atomic
def answer(summary: Summary, *, by: Member, said: Verdict) -> Reaction:
    """Record what this person did with it; their first answer stands. Raises Conflict for what was not written."""
    if summary.state != SummaryState.DONE:
        raise Conflict(_("There is no summary to answer."))
    made = Reaction(summary=summary, person=by, said=said, at=clock.now())
    Reaction.objects.bulk_create([made], ignore_conflicts=True)
    found = Reaction.objects.get(summary=summary, person=by)
    if found.pk == made.pk:
        facts = {"summary": str(summary.pk), "said": str(said)}
        record("ai.summary_answered", summary.submission, facts=facts)
    return found
