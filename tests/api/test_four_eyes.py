"""A step that another person must take than whoever decided an earlier one."""

from __future__ import annotations

import pytest

from apps.approvals.models import Assignment, CaseStep
from apps.tenants.context import as_system
from tests.forms import body, published, step

ANSWERS = {"data": {"item": "A lathe", "total": 7}}


def decide(api, person, verdict="approve", reason=""):
    (task,) = api.as_(person).get("/api/v1/tasks").json()["results"]
    asked = {"verdict": verdict, "revision": task["revision"], "reason": reason}
    return api.as_(person).post(f"/api/v1/tasks/{task['id']}/decide", asked)


def test_whoever_confirmed_is_not_asked_to_verify(api, acme):
    first, second = acme.reviewer, acme.member("second")
    form = published(
        api, acme.owner, step("confirm", first, second), step("verify", first, second, not_same_as=["confirm"])
    )
    sent = api.as_(acme.editor).post(f"/api/v1/forms/{form}/submissions", ANSWERS).json()
    assert decide(api, first).status_code == 201
    assert api.as_(first).get("/api/v1/tasks").json()["results"] == []
    assert decide(api, second).status_code == 201
    assert api.as_(acme.editor).get(f"/api/v1/submissions/{sent['id']}").json()["state"] == "approved"


def test_whoever_confirmed_cannot_decide_even_where_they_were_asked(api, acme):
    first, second = acme.reviewer, acme.member("second")
    form = published(
        api, acme.owner, step("confirm", first, second), step("verify", first, second, not_same_as=["confirm"])
    )
    api.as_(acme.editor).post(f"/api/v1/forms/{form}/submissions", ANSWERS)
    decide(api, first)
    with as_system(acme.id):
        # As a bug or a hand in the database would leave it.
        Assignment.objects.create(step=CaseStep.objects.get(key="verify"), person=first)
    assert decide(api, first).status_code == 403
    assert decide(api, second).status_code == 201


def test_with_one_person_alone_the_path_stands_still(api, acme):
    form = published(
        api, acme.owner, step("confirm", acme.reviewer), step("verify", acme.reviewer, not_same_as=["confirm"])
    )
    sent = api.as_(acme.editor).post(f"/api/v1/forms/{form}/submissions", ANSWERS).json()
    decide(api, acme.reviewer)
    assert api.as_(acme.editor).get(f"/api/v1/submissions/{sent['id']}").json()["state"] == "in_review"
    with as_system(acme.id):
        stuck = CaseStep.objects.get(key="verify")
        assert stuck.state == "stuck"
        assert "confirm" in stuck.reason


def test_a_round_before_a_correction_does_not_count(api, acme):
    first, second = acme.reviewer, acme.member("second")
    form = published(
        api, acme.owner, step("confirm", first, second), step("verify", first, second, not_same_as=["confirm"])
    )
    sent = api.as_(acme.editor).post(f"/api/v1/forms/{form}/submissions", ANSWERS).json()
    decide(api, first, "send_back", "Which one?")
    api.as_(acme.editor).patch(f"/api/v1/submissions/{sent['id']}", {"data": {"item": "A long lathe", "total": 7}})
    api.as_(acme.editor).post(f"/api/v1/submissions/{sent['id']}/submit")
    assert decide(api, second).status_code == 201
    assert decide(api, first).status_code == 201


@pytest.mark.parametrize("keys", [["later"], ["nobody"], ["verify"], ["beside"], "confirm", [1], [["confirm"]]])
def test_a_path_that_names_no_earlier_step_is_refused(api, acme, keys):
    steps = [
        step("confirm", acme.reviewer),
        step("beside", acme.reviewer, group="both"),
        step("verify", acme.reviewer, group="both", not_same_as=keys),
        step("later", acme.reviewer),
    ]
    answer = api.as_(acme.owner).post("/api/v1/forms", body(*steps))
    assert answer.status_code == 400
    assert any("not_same_as" in error["field"] for error in answer.json()["errors"])
