"""The demo's two real processes, by the thresholds of their paths: who is asked at which amount, and in which order."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from apps.approvals.models import Decision
from apps.audit.sealer import seal
from apps.audit.verify import verify
from apps.forms.models import Form, Submission
from apps.tenants import clock
from apps.tenants.context import as_system

FIRST = {"Approving official"}
SECOND = {"Contracting officer"}
PARALLEL = {"Legal", "Budget"}
PEOPLE = (
    "owner", "reviewer", "whitfield", "okafor", "lindqvist", "ferrante", "nakamura", "haddad", "brandt", "osei",
    "kowalski",
)  # fmt: skip


def form_of(member, slug):
    with as_system(member.tenant_id):
        return Form.objects.get(slug=slug)


def purchase(api, demo, cents, sole_source=False):
    """A request that the demo's editor sends for this amount; its id."""
    editor = api.as_(demo.acme("editor"))
    data = {
        "unit": "Plant 2", "item": "Press brake", "justification": "The old one is worn out.", "vendor": "Amada",
        "required_by": "2027-02-01", "sole_source": sole_source, "fund_code": "WKN2026A",
        "lines": [{"description": "Press brake", "quantity": 1, "unit_price": cents}],
    }  # fmt: skip
    if sole_source:
        data["sole_source_rationale"] = "The tooling of the line fits no other make."
    form = form_of(demo.acme("editor"), "purchase-request")
    draft = editor.post(f"/api/v1/forms/{form.pk}/submissions", {"data": data, "draft": True}).json()
    for number in range(3):
        file = SimpleUploadedFile(f"q{number}.pdf", b"%PDF-1.4 " + str(number).encode())
        sent = editor.post(
            f"/api/v1/submissions/{draft['id']}/attachments", {"field": "quotes", "file": file}, format="multipart"
        )
        assert sent.status_code == 201
    answer = editor.post(f"/api/v1/submissions/{draft['id']}/submit")
    assert answer.status_code == 200, answer.json()
    return draft["id"]


def asked(api, demo, submission):
    """The open tasks of a submission: (step, person, task)."""
    found = []
    for name in PEOPLE:
        member = demo.acme(name)
        rows = api.as_(member).get(f"/api/v1/tasks?submission={submission}").json()["results"]
        found += [(row["step"], member, row) for row in rows if row["state"] == "open"]
    return found


def walk(api, demo, submission):
    """Approve step by step to the end; the sets of steps in the order in which they opened."""
    stages = []
    while tasks := asked(api, demo, submission):
        steps = {step for step, _member, _task in tasks}
        stages.append(steps)
        for step in sorted(steps):
            for name, member, task in tasks:
                state = api.as_(member).get(f"/api/v1/tasks/{task['id']}").json()["state"]
                if name == step and state == "open":
                    body = {"verdict": "approve", "revision": task["revision"]}
                    assert api.as_(member).post(f"/api/v1/tasks/{task['id']}/decide", body).status_code == 201
    return stages


def state_of(api, demo, submission):
    return api.as_(demo.acme("editor")).get(f"/api/v1/submissions/{submission}").json()["state"]


@pytest.mark.parametrize(
    ("cents", "sole_source", "stages"),
    [
        (1_500_000, False, [FIRST]),
        (1_500_000, True, [FIRST]),
        (1_500_001, False, [FIRST, SECOND]),
        (1_500_001, True, [FIRST, SECOND | {"Competition advocate"}]),
        (35_000_000, False, [FIRST, SECOND]),
        (35_000_001, False, [FIRST, SECOND, PARALLEL, {"Head of contracting activity"}]),
    ],
)
def test_a_purchase_goes_the_way_that_its_amount_demands(api, demo, cents, sole_source, stages):
    sent = purchase(api, demo, cents, sole_source)
    assert walk(api, demo, sent) == stages
    assert state_of(api, demo, sent) == "approved"


def test_one_refusal_of_two_in_parallel_ends_it_and_closes_the_other_task(api, demo):
    sent = purchase(api, demo, 35_000_001)
    for step in ("Approving official", "Contracting officer"):
        _step, member, task = next(row for row in asked(api, demo, sent) if row[0] == step)
        body = {"verdict": "approve", "revision": task["revision"]}
        assert api.as_(member).post(f"/api/v1/tasks/{task['id']}/decide", body).status_code == 201
    tasks = asked(api, demo, sent)
    assert {step for step, _member, _task in tasks} == PARALLEL
    _step, member, task = next(row for row in tasks if row[0] == "Budget")
    body = {"verdict": "reject", "reason": "No money this year.", "revision": task["revision"]}
    assert api.as_(member).post(f"/api/v1/tasks/{task['id']}/decide", body).status_code == 201
    assert asked(api, demo, sent) == []
    assert state_of(api, demo, sent) == "rejected"


def test_a_total_that_is_sent_along_opens_no_shorter_way(api, demo):
    editor, form = demo.acme("editor"), form_of(demo.acme("editor"), "purchase-request")
    data = {
        "unit": "Plant 2", "item": "Press brake", "justification": "Worn out.", "vendor": "Amada", "total": 1,
        "required_by": "2027-02-01", "sole_source": False, "fund_code": "WKN2026A",
        "lines": [{"description": "Press brake", "quantity": 1, "unit_price": 1_500_001}],
    }  # fmt: skip
    answer = api.as_(editor).post(f"/api/v1/forms/{form.pk}/submissions", {"data": data})
    assert answer.status_code == 400
    assert {error["field"] for error in answer.json()["errors"]} == {"quotes"}


def test_the_demo_looks_like_organisations_at_work(demo):
    with as_system(demo.acme("owner").tenant_id):
        rows = list(Submission.objects.with_all())
        states = Counter(row.state for row in rows)
        days = {row.created_at.date() for row in rows}
        decisions = Decision.objects.count()
    assert set(states) == {"draft", "in_review", "changes_requested", "approved", "rejected", "withdrawn"}
    assert len(rows) >= 20
    assert decisions >= 20
    assert max(days) - min(days) > timedelta(days=14)
    assert {row.form.slug for row in rows} == {"purchase-request", "leave"}


def test_every_act_of_the_demo_stands_in_logs_that_verify(demo):
    for member in (demo.acme("owner"), demo.globex("owner")):
        seal(member.tenant_id)
        with as_system(member.tenant_id):
            found = verify()
        assert found.whole
        assert found.sealed > 10


def test_nothing_of_one_organisation_exists_for_the_other(api, browse, demo):
    sent = purchase(api, demo, 100)
    form = form_of(demo.acme("editor"), "purchase-request")
    rival = demo.globex("owner")
    for path in (f"forms/{form.pk}", f"submissions/{sent}", f"forms/{form.pk}/versions", f"forms/{form.pk}/audit"):
        assert api.as_(rival).get(f"/api/v1/{path}").status_code == 404
    for path in ("", "forms/", "tasks/", "settings/audit-log/", f"submissions/{sent}/"):
        assert browse(rival).get(f"/t/acme/{path}").status_code == 404
    for path in ("forms", "submissions", "members", "teams", "audit/entries"):
        text = api.as_(rival).get(f"/api/v1/{path}?page_size=100").content.decode()
        assert "acme" not in text.lower()


@pytest.mark.parametrize(
    ("kind", "hours", "stages"),
    [
        ("accrued_annual", 400, [{"Supervisor"}]),
        ("without_pay", 240, [{"Supervisor"}]),
        ("without_pay", 241, [{"Supervisor"}, {"Personnel office"}]),
        ("advance_annual", 8, [{"Supervisor"}, {"Personnel office"}]),
    ],
)
def test_leave_goes_on_to_the_personnel_office_when_it_must(api, demo, kind, hours, stages):
    form = form_of(demo.acme("editor"), "leave")
    row = {"kind": kind, "date_from": "2026-12-01", "date_to": "2027-01-29", "hours": hours}
    data = {
        "name": "Novak, Emil", "employee_number": "104417", "organization": "Plant 2", "certification": True,
        "certified_on": "2026-11-24", "leave": [row],
    }  # fmt: skip
    answer = api.as_(demo.acme("editor")).post(f"/api/v1/forms/{form.pk}/submissions", {"data": data})
    assert answer.status_code == 201, answer.json()
    assert answer.json()["data"]["hours"] == hours
    assert walk(api, demo, answer.json()["id"]) == stages


def test_only_the_demo_moves_the_clock(repository):
    users = {
        str(path.relative_to(repository))
        for path in (repository / "apps").rglob("*.py")
        if "clock.at(" in path.read_text() or "from .clock import at" in path.read_text()
    }
    assert users == {"apps/forms/demo/seed.py"}
    assert clock.now().tzinfo is not None
