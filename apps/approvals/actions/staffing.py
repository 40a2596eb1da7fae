"""A step that nobody may decide stands still until an owner names people for it; nothing is decided by accident."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction
from django.utils.translation import gettext as _

from apps.accounts.models import Member
from apps.audit.actions import record
from apps.tenants import clock
from apps.tenants.context import refuse_support, require
from apps.tenants.freshness import require_fresh
from apps.tenants.refusals import Conflict, Refused

from .. import mails
from ..models import Case, CaseState, CaseStep, StepState, who_decide
from ..rules import quorum
from ..rules.definition import Quorum, QuorumKind
from .cases import ask, due_at, eligible, shut_out


@transaction.atomic
def staff_step(step: CaseStep, people: Sequence[Member], *, by: Member) -> CaseStep:
    """Open a step that stands still by asking these people beside those whom its path still finds.

    Raises NotFresh, Forbidden without settings.write, Conflict when it does not stand still any more, Refused for people who may
    not decide on it, for oneself, and for too few.
    """
    refuse_support()
    require("settings.write")
    require_fresh("step.staff")
    # The case's row comes first, then the step's: every writer takes them in this order.
    case = Case.objects.select_for_update().get(pk=step.case_id)
    step = CaseStep.objects.select_for_update().get(pk=step.pk)
    step.case = case
    if step.state != StepState.STUCK or case.state != CaseState.IN_REVIEW:
        raise Conflict(_("This step does not stand still any more."), code="not_stuck")
    definition, barred = step.definition, shut_out(case, step.definition)
    for one in people:
        if one.pk == by.pk:
            raise Refused(_("Name somebody else than yourself: four eyes."), code="own_step", field="people")
        if one.pk in barred or not who_decide().filter(pk=one.pk).exists():
            text = _("%(name)s may not decide on %(reference)s.") % {"name": one.name, "reference": case.reference}
            raise Refused(text, code="does_not_decide", field="people")
    asked = {one.pk: one for one in (*eligible(definition, without=barred), *people)}
    needs = Quorum(QuorumKind(step.quorum["kind"]), step.quorum["n"])
    if not quorum.is_possible(needs, len(asked)):
        text = _("This step needs %(n)s people.") % {"n": max(1, quorum.needed(needs, len(asked)))}
        raise Refused(text, code="too_few", field="people")
    step.state, step.reason, step.eligible_count = StepState.OPEN, "", len(asked)
    step.opened_at, step.due_at = clock.now(), due_at(definition)
    step.save()
    facts = {"step": step.key, "asked": [str(pk) for pk in asked], "quorum": step.quorum}
    record("step.staffed", mails.subject_of(case), step, facts=facts)
    ask(case, step, list(asked.values()))
    return step
