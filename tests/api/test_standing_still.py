"""A step that nobody may decide stands still, and an owner names people for it."""

from __future__ import annotations

import pytest

from apps.accounts.models import User
from apps.approvals.models import CaseStep
from apps.audit.models import Entry
from apps.audit.reconcile import reconcile
from apps.comms.models import OutboxMessage
from apps.tenants.context import as_system
from tests.api.test_standing_in import decide, send, tasks
from tests.forms import published, step


@pytest.fixture
def stuck(api, acme):
    """The second step names only a member who has gone, so the case stands still after the first."""
    gone = acme.member("gone")
    form = published(api, acme.owner, step("a", acme.reviewer), step("b", gone))
    sent = send(api, acme.editor, form)
    User.objects.filter(pk=gone.user_id).update(is_active=False)
    assert decide(api, acme.reviewer, tasks(api, acme.reviewer)[0]).status_code == 201
    with as_system(acme.id):
        return sent, CaseStep.objects.get(state="stuck")


def name(api, acme, found, *people):
    sent = {"people": [str(one.pk) for one in people]}
    return api.as_(acme.owner).post(f"/api/v1/stuck-steps/{found.pk}/staff", sent)


def test_an_owner_is_told_where_and_names_somebody_and_the_case_goes_on(api, browse, acme, stuck):
    sent, found = stuck
    with as_system(acme.id):
        told = OutboxMessage.objects.get(template="approvals/mail/stuck")
    assert told.to == acme.owner.email
    assert acme.url("settings/standing-still/") in told.body
    owner = browse(acme.owner)
    assert "stands still" in owner.get(acme.url("settings/standing-still/")).content.decode()
    none = owner.post(acme.url("settings/standing-still/"), {"step": str(found.pk)})
    assert none.status_code == 422
    chosen = {"step": str(found.pk), "people": [str(acme.reviewer.pk)]}
    assert owner.post(acme.url("settings/standing-still/"), chosen).status_code == 302
    with as_system(acme.id):
        assert Entry.objects.get(action="step.staffed").facts["asked"] == [str(acme.reviewer.pk)]
        assert reconcile().whole
    assert decide(api, acme.reviewer, tasks(api, acme.reviewer)[0]).status_code == 201
    assert api.as_(acme.editor).get(f"/api/v1/submissions/{sent}").json()["state"] == "approved"
    assert owner.post(acme.url("settings/standing-still/"), chosen).status_code == 409


@pytest.mark.parametrize(
    ("who", "status", "code"),
    [
        ("editor", 400, "does_not_decide"),  # sent it
        ("viewer", 400, "does_not_decide"),
        ("owner", 400, "own_step"),
        ("reviewer", 201, None),
    ],
)
def test_who_may_be_named(api, acme, stuck, who, status, code):
    answer = name(api, acme, stuck[1], getattr(acme, who))
    assert (answer.status_code, answer.json().get("code")) == (status, code)


def test_only_owners_see_and_settle_what_stands_still(api, browse, acme, globex, stuck):
    found = stuck[1]
    (row,) = api.as_(acme.owner).get("/api/v1/stuck-steps").json()["results"]
    assert row["id"] == str(found.pk)
    sent = {"people": [str(acme.reviewer.pk)]}
    assert api.as_(acme.editor).post(f"/api/v1/stuck-steps/{found.pk}/staff", sent).status_code == 403
    assert browse(acme.editor).get(acme.url("settings/standing-still/")).status_code == 403
    assert api.as_(globex.owner).post(f"/api/v1/stuck-steps/{found.pk}/staff", sent).status_code == 404
    assert name(api, acme, found, globex.owner).status_code == 400
    assert name(api, acme, found, acme.reviewer).status_code == 201
    assert name(api, acme, found, acme.reviewer).status_code == 404


def test_too_few_for_the_quorum_are_refused(api, acme):
    form = published(api, acme.owner, step("a", acme.editor, kind="count") | {"quorum": {"kind": "count", "n": 2}})
    send(api, acme.editor, form)
    with as_system(acme.id):
        found = CaseStep.objects.get(state="stuck")
    answer = name(api, acme, found, acme.reviewer)
    assert (answer.status_code, answer.json()["code"]) == (400, "too_few")
    assert name(api, acme, found, acme.reviewer, acme.member("other")).status_code == 201
