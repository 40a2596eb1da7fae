"""Two people decide at the same moment, on real PostgreSQL, each on a connection of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connections

from apps.approvals import actions as approvals
from apps.approvals.models import Assignment, Case, CaseStep, Decision
from apps.audit.models import Entry
from apps.forms.actions.submissions import submit_new
from apps.forms.models import Form
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


def deciding(member, submission, verdict):
    def work() -> Any:
        with acting_as(member):
            asked = Assignment.objects.of(member).with_case().get(step__case__subject_id=submission.pk)
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
