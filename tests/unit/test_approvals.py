"""The whole way of a submission through the API: who is asked, who may decide, and what follows."""

from __future__ import annotations

from tests.forms import published, step


def send(api, member, form, total=100):
    return api.as_(member).post(f"/api/v1/forms/{form}/submissions", {"data": {"item": "Lathe", "total": total}})


def tasks(api, member):
    return api.as_(member).get("/api/v1/tasks").json()["results"]


def decide(api, member, task, verdict="approve", reason="", revision=None):
    body = {"verdict": verdict, "reason": reason, "revision": revision or task["revision"]}
    return api.as_(member).post(f"/api/v1/tasks/{task['id']}/decide", body)


def state(api, member, sent):
    return api.as_(member).get(f"/api/v1/submissions/{sent['id']}").json()["state"]


def test_a_submission_is_approved_by_its_reviewer(api, acme):
    form = published(api, acme.owner, step("manager", acme.reviewer))
    sent = send(api, acme.editor, form).json()
    (task,) = tasks(api, acme.reviewer)
    assert task["submission"] == sent["id"]
    assert decide(api, acme.reviewer, task).status_code == 201
    assert state(api, acme.editor, sent) == "approved"


def test_the_requester_is_never_asked(api, acme):
    form = published(api, acme.owner, step("manager", acme.editor, acme.reviewer))
    send(api, acme.editor, form)
    assert tasks(api, acme.editor) == []
    assert len(tasks(api, acme.reviewer)) == 1


def test_a_step_without_anybody_else_stands_still(api, acme):
    form = published(api, acme.owner, step("manager", acme.editor))
    sent = send(api, acme.editor, form).json()
    assert state(api, acme.editor, sent) == "in_review"


def test_the_next_step_opens_by_its_condition(api, acme):
    steps = [step("manager", acme.reviewer), step("finance", acme.owner, when="data.total > 1000")]
    form = published(api, acme.editor, *steps)
    small, large = send(api, acme.editor, form, 1000).json(), send(api, acme.editor, form, 1001).json()
    for task in tasks(api, acme.reviewer):
        assert decide(api, acme.reviewer, task).status_code == 201
    assert state(api, acme.editor, small) == "approved"
    assert state(api, acme.editor, large) == "in_review"
    assert [task["submission"] for task in tasks(api, acme.owner)] == [large["id"]]


def test_all_of_a_step_must_approve(api, acme):
    form = published(api, acme.editor, step("board", acme.reviewer, acme.owner, kind="all"))
    sent = send(api, acme.editor, form).json()
    decide(api, acme.reviewer, tasks(api, acme.reviewer)[0])
    assert state(api, acme.editor, sent) == "in_review"
    decide(api, acme.owner, tasks(api, acme.owner)[0])
    assert state(api, acme.editor, sent) == "approved"


def test_a_rejection_needs_a_reason_and_ends_it(api, acme):
    form = published(api, acme.owner, step("manager", acme.reviewer))
    sent = send(api, acme.editor, form).json()
    (task,) = tasks(api, acme.reviewer)
    assert decide(api, acme.reviewer, task, "reject").status_code == 400
    assert decide(api, acme.reviewer, task, "reject", "Too dear.").status_code == 201
    assert state(api, acme.editor, sent) == "rejected"


def test_a_second_verdict_and_a_stale_revision_are_conflicts(api, acme):
    form = published(api, acme.owner, step("manager", acme.reviewer))
    sent = send(api, acme.editor, form).json()
    (task,) = tasks(api, acme.reviewer)
    assert decide(api, acme.reviewer, task, revision=sent["id"]).status_code == 409
    assert decide(api, acme.reviewer, task).status_code == 201
    assert decide(api, acme.reviewer, task).status_code == 409


def test_another_persons_task_and_a_rivals_submission_do_not_exist(api, acme, globex):
    form = published(api, acme.owner, step("manager", acme.reviewer))
    sent = send(api, acme.editor, form).json()
    (task,) = tasks(api, acme.reviewer)
    assert decide(api, acme.owner, task).status_code == 404
    assert api.as_(globex.owner).get(f"/api/v1/submissions/{sent['id']}").status_code == 404
    assert api.as_(globex.owner).get(f"/api/v1/forms/{form}").status_code == 404


def test_a_wrong_answer_is_named_at_its_place(api, acme):
    form = published(api, acme.owner, step("manager", acme.reviewer))
    answer = api.as_(acme.editor).post(f"/api/v1/forms/{form}/submissions", {"data": {"total": "x", "no": 1}})
    assert answer.status_code == 400
    assert {error["field"] for error in answer.json()["errors"]} == {"item", "total", "no"}
