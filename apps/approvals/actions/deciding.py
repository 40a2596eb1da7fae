"""One person's verdict on one step."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from apps.accounts.models import Member
from apps.audit.actions import record
from apps.comms.actions import publish_event
from apps.tenants import clock
from apps.tenants.context import refuse_support
from apps.tenants.refusals import Conflict, Forbidden, Invalid, NotFound
from apps.tenants.slots import slots

from .. import mails
from ..models import Assignment, AssignmentState, Case, CaseState, CaseStep, Decision, StepState, Verdict, who_decide
from ..rules.definition import Quorum, QuorumKind
from ..rules.quorum import Outcome, outcome
from .cases import advance, close_open_steps, end, shut_out, told
from .standing_in import take_seat

LONGEST_REASON = 4000


@transaction.atomic
def decide(assignment: Assignment, *, by: Member, verdict: str, revision: UUID, reason: str = "") -> Decision:
    """Record one person's verdict on exactly the revision they saw; of two racing verdicts the step takes each once.

    Raises NotFound when another person is asked for whom this one does not stand in, Conflict when the step has ended or
    the revision has moved on, Forbidden when the person may not decide (any more), Invalid for a verdict without its reason.
    """
    refuse_support()
    if not Assignment.objects.seen_by(by).filter(pk=assignment.pk).exists():
        raise NotFound()
    behalf = assignment.person_id if assignment.person_id != by.pk else None
    # The case's row comes first, then the step's: every writer takes them in this order.
    case = Case.objects.select_for_update().get(pk=assignment.step.case_id)
    step = CaseStep.objects.select_for_update().get(pk=assignment.step_id)
    step.case = case
    assignment = Assignment.objects.select_for_update().get(pk=assignment.pk)
    _check(case, step, assignment, by, verdict, revision, reason)
    decision = Decision.objects.create(
        step=step,
        assignment=assignment,
        person=by,
        on_behalf_of_id=behalf,
        verdict=verdict,
        reason=reason.strip(),
        revision=revision,
        subject_sha256=case.subject_sha256,
        decided_at=clock.now(),
    )
    assignment.state = AssignmentState.DECIDED
    assignment.save()
    _tell(case, decision)
    _count(case, step, Verdict(verdict))
    return decision


def _tell(case: Case, decision: Decision) -> None:
    """The log and webhooks hear of it."""
    behalf, step = decision.on_behalf_of_id, decision.step
    facts = {
        "verdict": decision.verdict,
        "step": step.key,
        "revision": str(decision.revision),
        "sha256": case.subject_sha256,
    }
    named = {"on_behalf_of": str(behalf)} if behalf else {}
    record(
        "submission.decided", mails.subject_of(case), decision, facts=facts | named, receipt=True, on_behalf_of=behalf
    )
    about = {"decision": decision.pk, "step": step.key, "verdict": decision.verdict, **named}
    publish_event("decision.made", **told(case), **about)


def _check(
    case: Case, step: CaseStep, assignment: Assignment, by: Member, verdict: str, revision: UUID, reason: str
) -> None:
    if case.state != CaseState.IN_REVIEW or step.state != StepState.OPEN:
        raise Conflict(_("This step has ended already."), code="already_decided")
    if assignment.state != AssignmentState.OPEN:
        raise Conflict(_("This is decided already."), code="already_decided")
    if case.subject_revision != revision:
        raise Conflict(_("The submission has changed since you opened it; read it again."), code="stale_revision")
    if not slots.fits_its_hash(revision):
        raise Conflict(
            _("What is stored is not what was sent; nobody decides on it. Tell the operators."), code="not_as_sent"
        )
    if not who_decide().filter(pk=by.pk).exists() or {by.pk, assignment.person_id} & shut_out(case, step.definition):
        raise Forbidden(_("You may not decide on this."))
    if assignment.person_id != by.pk:
        take_seat(case, step, assignment, by)
    if verdict not in Verdict.values:
        raise Invalid({"verdict": [_("Choose approve, reject or send_back.")]})
    if verdict == Verdict.SEND_BACK and case.requester_id is None:
        raise Invalid(
            {"verdict": [_("It came from outside, and nobody there can correct it; ask by the contact given.")]}
        )
    if verdict != Verdict.APPROVE and not reason.strip():
        raise Invalid({"reason": [_("Say why; the person who sent it reads this.")]})
    if len(reason) > LONGEST_REASON:
        raise Invalid({"reason": [_("This is longer than %(n)s characters.") % {"n": LONGEST_REASON}]})


def _count(case: Case, step: CaseStep, verdict: Verdict) -> None:
    """Re-evaluate the step under its lock, and let the case go on."""
    if verdict is Verdict.SEND_BACK:
        _finish(case, step, StepState.SENT_BACK)
        _send_back(case)
        return
    verdicts = list(Decision.objects.filter(step=step).values_list("verdict", flat=True))
    quorum = Quorum(QuorumKind(step.quorum["kind"]), step.quorum["n"])
    result = outcome(
        quorum,
        step.eligible_count,
        approvals=verdicts.count(Verdict.APPROVE),
        rejections=verdicts.count(Verdict.REJECT),
    )
    if result is Outcome.REJECTED:
        _finish(case, step, StepState.REJECTED)
        close_open_steps(case)
        end(case, CaseState.REJECTED)
    elif result is Outcome.APPROVED:
        _finish(case, step, StepState.APPROVED)
        if not CaseStep.objects.filter(
            case=case, round=case.round, state__in=[StepState.OPEN, StepState.STUCK]
        ).exists():
            advance(case)
        if case.state == CaseState.IN_REVIEW:
            mails.step_done(case, step)


def _finish(case: Case, step: CaseStep, state: StepState) -> None:
    step.state, step.closed_at = state, clock.now()
    step.save()
    Assignment.objects.filter(step=step, state=AssignmentState.OPEN).update(state=AssignmentState.CLOSED)
    if state is not StepState.SENT_BACK:
        record(f"step.{state.value}", mails.subject_of(case), step, facts={"step": step.key})


def _send_back(case: Case) -> None:
    close_open_steps(case)
    case.state = CaseState.CHANGES_REQUESTED
    case.save()
    record("case.sent_back", mails.subject_of(case), facts={"round": case.round})
    publish_event("submission.changes_requested", **told(case))
    mails.changes_asked(case)
