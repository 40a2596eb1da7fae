"""Two people decide at the same moment, on real PostgreSQL, each on a connection of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections

from apps.approvals import actions as approvals
from apps.approvals.models import Assignment, Case, CaseStep, Decision, Delegation
from apps.audit.models import Entry
from apps.forms.actions.submissions import submit_new
from apps.forms.models import Form
from apps.tenants import clock
from apps.tenants.refusals import Problem
from tests.cast import acting_as
from tests.forms import published, step


def together(*works: Callable[[], Any]) -> list[Any]:
    """Run all at once; each result is what it returned, or the Problem it met."""
    start, results = threading.Barrier(len(works)), [None] * len(works)

    def run(index: int, work: Callable[[], Any]) -> None:
        start.wait()
        try:
            results[index] = work()
        except Problem as problem:
            results[index] = problem
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def sent(api, acme, kind):
    form = published(api, acme.owner, step("board", acme.reviewer, acme.owner, kind=kind))
    with acting_as(acme.editor):
        found = Form.objects.select_related("live_version__path_version").get(pk=form)
        return submit_new(found, data={"item": "Lathe", "total": 5}, by=acme.editor)


def deciding(member, submission, verdict, seat=None):
    def work() -> Any:
        with acting_as(member):
            asked = Assignment.objects.of(seat or member).with_case().get(step__case__subject_id=submission.pk)
            revision = asked.step.case.subject_revision
            return approvals.decide(asked, by=member, verdict=verdict, revision=revision, reason="Because.")

    return work


@pytest.mark.parametrize("attempt", range(5))
def test_two_approvals_of_all_end_the_step_once(api, acme, attempt):
    submission = sent(api, acme, "all")
    together(deciding(acme.reviewer, submission, "approve"), deciding(acme.owner, submission, "approve"))
    with acting_as(acme.owner):
        assert Case.objects.get(subject_id=submission.pk).state == "approved"
        assert Decision.objects.count() == 2
        assert Entry.objects.filter(action="case.approved").count() == 1


@pytest.mark.parametrize("attempt", range(5))
def test_of_an_approval_and_a_rejection_one_ends_it_and_the_other_is_told(api, acme, attempt):
    submission = sent(api, acme, "any")
    results = together(deciding(acme.reviewer, submission, "approve"), deciding(acme.owner, submission, "reject"))
    with acting_as(acme.owner):
        assert sum(isinstance(result, Problem) for result in results) == 1
        assert CaseStep.objects.get().state in {"approved", "rejected"}
        assert Decision.objects.count() == 1
        assert Entry.objects.filter(action__in=["case.approved", "case.rejected"]).count() == 1


@pytest.mark.parametrize("attempt", range(5))
def test_of_a_withdrawal_and_a_verdict_one_is_told(api, acme, attempt):
    submission = sent(api, acme, "any")

    def take_back() -> Any:
        with acting_as(acme.editor):
            return approvals.withdraw(Case.objects.get(subject_id=submission.pk), by=acme.editor)

    results = together(deciding(acme.reviewer, submission, "approve"), take_back)
    with acting_as(acme.owner):
        assert sum(isinstance(result, Problem) for result in results) == 1
        assert Case.objects.get().state in {"approved", "withdrawn"}


def standing_in(person, stand_in):
    with acting_as(person):
        ends = clock.now() + timedelta(days=2)
        return approvals.set_stand_in(person, stand_in=stand_in, starts_at=clock.now(), ends_at=ends, by=person)


@pytest.mark.parametrize("attempt", range(5))
def test_of_a_member_and_their_stand_in_one_decides_and_the_other_is_told(api, acme, attempt):
    submission, other = sent(api, acme, "all"), acme.member("other")
    standing_in(acme.reviewer, other)
    results = together(
        deciding(acme.reviewer, submission, "approve"), deciding(other, submission, "approve", seat=acme.reviewer)
    )
    with acting_as(acme.owner):
        assert [result.code for result in results if isinstance(result, Problem)] == ["already_decided"]
        assert Decision.objects.count() == 1
        assert CaseStep.objects.get().state == "open"


@pytest.mark.parametrize("attempt", range(5))
def test_a_stand_in_of_two_speaks_once_in_a_step(api, acme, attempt):
    submission, other = sent(api, acme, "all"), acme.member("other")
    for person in (acme.reviewer, acme.owner):
        standing_in(person, other)
    results = together(
        deciding(other, submission, "approve", seat=acme.reviewer),
        deciding(other, submission, "approve", seat=acme.owner),
    )
    with acting_as(acme.owner):
        assert sum(isinstance(result, Problem) for result in results) == 1
        assert Decision.objects.count() == 1
        assert CaseStep.objects.get().state == "open"


@pytest.mark.parametrize("attempt", range(5))
def test_of_an_end_and_a_verdict_the_log_has_them_in_an_order_that_holds(api, acme, attempt):
    submission, other = sent(api, acme, "any"), acme.member("other")
    made = standing_in(acme.reviewer, other)

    def end() -> Any:
        with acting_as(acme.reviewer):
            return approvals.end_stand_in(made, by=acme.reviewer)

    together(deciding(other, submission, "approve", seat=acme.reviewer), end)
    with acting_as(acme.owner):
        ended = Delegation.objects.get().ended_at
        assert ended is not None
        assert all(decision.decided_at <= ended for decision in Decision.objects.all())


@pytest.mark.parametrize("attempt", range(5))
def test_two_stand_ins_of_one_person_are_never_named_for_the_same_time(acme, attempt):
    others = [acme.member("first"), acme.member("second")]
    works = [lambda one=one: standing_in(acme.reviewer, one) for one in others]
    results = together(*works)
    with acting_as(acme.owner):
        assert sum(isinstance(result, Problem) for result in results) == 1
        assert Delegation.objects.count() == 1
