"""What hashes cannot show: something that was done, or a row put in, without an entry is found by comparing the two."""

from __future__ import annotations

import re

import pytest
from django.apps import apps
from django.core.management import call_command

from apps.audit.models import Entry, Reconciled
from apps.audit.reconcile import reconcile
from apps.audit.sealer import seal
from apps.tenants.context import as_system
from apps.tenants.ids import new_id
from apps.tenants.models import TenantModel
from apps.tenants.slots import slots
from tests import database
from tests.attack.standing import FREE
from tests.forms import published, step

# Models whose rows no entry must tell of one by one, each with its reason.
ITSELF, COUNTS = "a part of the log itself", "a number or a state that other rows and entries give"
WAY = "a message on its way; what it tells of is compared where it happened"
EXCEPT = {
    "audit.Entry": ITSELF, "audit.Seal": ITSELF, "audit.Waiting": ITSELF, "audit.TreeNode": ITSELF,
    "audit.Checkpoint": ITSELF, "audit.InstanceLeaf": ITSELF, "audit.Incarnation": ITSELF, "audit.Receipt": ITSELF,
    "audit.Verified": ITSELF, "audit.Reconciled": ITSELF, "audit.PrivateValue": ITSELF, "audit.Word": ITSELF,
    "audit.SavedView": "filters that a person keeps for themselves, which change nothing",
    "comms.OutboxMessage": WAY, "comms.WebhookEvent": WAY, "comms.WebhookDelivery": WAY, "comms.WebhookAttempt": WAY,
    "comms.WebhookSecret": "comes with its endpoint, or with an act of the endpoint",
    "billing.Counter": COUNTS, "billing.Limit": COUNTS, "forms.ReferenceCounter": COUNTS, "ai.Budget": COUNTS,
    "ai.Allowance": "one row a tenant, made when it is first asked for; each change of it is an entry",
    "ai.Reservation": "a hold of the AI ledger; the attempt it was for is compared",
    "approvals.Path": "made with its first version, which is compared",
    "approvals.Assignment": "who is asked stands in the entry of the step",
}  # fmt: skip


def test_every_model_of_a_tenant_is_compared_or_is_known_with_its_reason():
    ours = {model._meta.label for model in apps.get_models() if issubclass(model, TenantModel)}
    compared = {logged.key for logged in slots.logged}
    assert ours - compared - set(EXCEPT) == set(), "Say in LOGGED of its room which act its rows have, or here why not."
    assert (compared | set(EXCEPT)) - ours == set()
    assert compared & set(EXCEPT) == set()


@pytest.fixture
def busy(acme, api):
    """A company in which most of what can be logged was done, by the doors."""
    form = published(api, acme.owner, step("manager", acme.reviewer))
    for item in ("A", "B"):
        sent = {"data": {"item": item, "total": 5}}
        assert api.as_(acme.editor).post(f"/api/v1/forms/{form}/submissions", sent).status_code == 201
    task = api.as_(acme.reviewer).get("/api/v1/tasks").json()["results"][0]
    decided = {"verdict": "approve", "revision": task["revision"]}
    assert api.as_(acme.reviewer).post(f"/api/v1/tasks/{task['id']}/decide", decided).status_code == 201
    acme.team("Buyers", acme.reviewer)
    owner = api.as_(acme.owner)
    for path, body in {
        "api-keys": {"name": "Reader", "scopes": ["forms.read"], "days": 3},
        "invitations": {"email": "new@acme.example", "role": "member"},
        "webhooks": {"url": "https://hooks.example/in", "events": ["decision.made"]},
    }.items():
        answer = owner.post(f"/api/v1/{path}", body)
        assert answer.status_code == 201, answer.json()
    return acme


ATTACKS = {
    "a decision is put in": (
        "INSERT INTO approvals_decision SELECT (d).* FROM (SELECT jsonb_populate_record(d, jsonb_build_object("
        "'id', %(fresh)s::text, 'person_id', gen_random_uuid(), 'assignment_id', gen_random_uuid())) AS d FROM approvals_decision d WHERE tenant_id = %(tenant)s) x",
        "approvals.Decision",
    ),
    "a verdict is turned around": (
        "UPDATE approvals_decision SET verdict = 'reject' WHERE tenant_id = %(tenant)s", "approvals.Decision",
    ),
    "a decision is taken away": ("DELETE FROM approvals_decision WHERE tenant_id = %(tenant)s", "approvals.Decision"),
    "a grant is given by hand": (
        "UPDATE forms_grant SET id = %(fresh)s WHERE tenant_id = %(tenant)s", "forms.Grant",
    ),
    "the hash of answers is changed": (
        "UPDATE forms_revision SET sha256 = repeat('0', 64) WHERE tenant_id = %(tenant)s AND id ="
        " (SELECT id FROM forms_revision WHERE tenant_id = %(tenant)s LIMIT 1)", "forms.Revision",
    ),
    "the answers that were approved are changed beside their hash": (
        "UPDATE forms_revision SET data = jsonb_set(data, '{total}', '9000000') WHERE tenant_id = %(tenant)s", "forms.Revision",
    ),
    "answers are made such that nobody can hash them": (
        "UPDATE forms_revision SET data = '[1.5]' WHERE tenant_id = %(tenant)s", "forms.Revision",
    ),
    "a question is asked otherwise": (
        "UPDATE forms_formversion SET schema = replace(schema, 'total', 'sum') WHERE tenant_id = %(tenant)s",
        "forms.FormVersion",
    ),
    "a form is made unreadable": (
        "UPDATE forms_formversion SET ui = '{' WHERE tenant_id = %(tenant)s", "forms.FormVersion",
    ),
    "a path is led elsewhere": (
        "UPDATE approvals_pathversion SET definition = replace(definition, 'manager', 'nobody') WHERE tenant_id = %(tenant)s",
        "approvals.PathVersion",
    ),
    "where somebody came from is changed": (
        "UPDATE audit_privatevalue SET value = '203.0.113.9' WHERE tenant_id = %(tenant)s", "audit.PrivateValue",
    ),
    "where somebody came from is taken away": (
        "DELETE FROM audit_privatevalue WHERE tenant_id = %(tenant)s", "audit.PrivateValue",
    ),
    "where somebody came from is made up": (
        "INSERT INTO audit_privatevalue (tenant_id, id, entry_id, name, salt, value) SELECT %(tenant)s, %(fresh)s, id,"
        " 'address', sha256(''), '203.0.113.9' FROM audit_entry e WHERE tenant_id = %(tenant)s AND NOT EXISTS"
        " (SELECT 1 FROM audit_privatevalue v WHERE v.entry_id = e.id AND v.tenant_id = e.tenant_id) LIMIT 1",
        "audit.PrivateValue",
    ),
    "an entry is taken out of the search": (
        "DELETE FROM audit_word WHERE tenant_id = %(tenant)s", "audit.Word",
    ),
    "a word of an entry is another": (
        "UPDATE audit_word SET word = word || 'x' WHERE tenant_id = %(tenant)s", "audit.Word",
    ),
    "a member is put in": (
        "UPDATE accounts_member SET id = %(fresh)s WHERE tenant_id = %(tenant)s AND role = 'viewer'", "accounts.Member",
    ),
}  # fmt: skip

TEAMS = (
    "INSERT INTO accounts_team SELECT (t).* FROM (SELECT jsonb_populate_record(t, jsonb_build_object("
    "'id', gen_random_uuid(), 'slug', 'by-hand-' || n, 'name', 'By hand ' || n)) AS t"
    " FROM accounts_team t, generate_series(1, 5) n WHERE tenant_id = %s) x"
)


def test_what_no_entry_tells_of_is_found_and_named_and_undoing_it_heals(busy):
    seal(busy.id)
    with as_system(busy.id):
        assert reconcile().whole, reconcile().reason
    for name, (statement, model) in ATTACKS.items():
        table = apps.get_model(model)._meta.db_table
        with database.superuser() as admin:
            admin.execute(FREE)
            admin.execute(f"CREATE TEMP TABLE kept AS SELECT * FROM {table} WHERE tenant_id = %s", [busy.id])
            assert admin.execute(statement, {"tenant": busy.id, "fresh": new_id()}).rowcount >= 1, name
            with as_system(busy.id):
                found = reconcile()
            assert (found.whole, found.reason.split()[0]) == (False, model), (name, found)
            admin.execute(f"DELETE FROM {table} WHERE tenant_id = %s", [busy.id])
            admin.execute(f"INSERT INTO {table} SELECT * FROM kept")
    with as_system(busy.id):
        assert reconcile().whole


def test_an_act_that_was_never_logged_is_told_to_operators_and_shown_to_the_tenant(busy, caplog, capsys, api, browse):
    fresh = new_id()
    with database.superuser() as admin:
        admin.execute(FREE)
        admin.execute(ATTACKS["a decision is put in"][0], {"tenant": busy.id, "fresh": fresh})
        admin.execute(TEAMS, [busy.id])
    for _ in range(2):
        with pytest.raises(SystemExit) as stop:
            call_command("reconcile_audit", tenant=busy.slug)
        assert stop.value.code == 1
    out = capsys.readouterr().out
    assert f"approvals.Decision {fresh}: no entry" in out
    assert re.search(
        r"accounts\.Team [0-9a-f-]{36}, [0-9a-f-]{36}, [0-9a-f-]{36}, and 2 more: no entry team\.created", out
    )
    (line,) = [line.getMessage() for line in caplog.records if "act_unlogged" in line.getMessage()]
    assert all(kind in line for kind in ("approvals.Decision", "accounts.Team"))
    with as_system(busy.id):
        (entry,) = Entry.objects.filter(action="audit.unlogged")
    assert entry.actor_type == "system"
    kinds = {one["kind"]: one for one in entry.facts["kinds"]}
    assert (kinds["approvals.Decision"]["count"], kinds["approvals.Decision"]["ids"]) == (1, [str(fresh)])
    assert (kinds["accounts.Team"]["count"], len(kinds["accounts.Team"]["ids"])) == (5, 3)
    told = api.as_(busy.owner).post("/api/v1/audit/verify").json()
    assert (told["whole"], told["unlogged"], told["unlogged_kinds"]) == (
        True,
        entry.facts["missing"],
        list(kinds.values()),
    )
    shown = api.as_(busy.owner).get("/api/v1/trust/controls").json()["controls"]
    assert {one["key"]: one["state"] for one in shown}["audit_chain"] == "broken"
    page = browse(busy.owner).get(busy.url("settings/audit-log/")).content.decode()
    assert all(pk in page for one in kinds.values() for pk in one["ids"])
    with database.superuser() as admin:
        admin.execute(FREE)
        admin.execute("DELETE FROM approvals_decision WHERE id = %s", [fresh])
        admin.execute("DELETE FROM accounts_team WHERE tenant_id = %s AND slug LIKE 'by-hand-%%'", [busy.id])
    with pytest.raises(SystemExit) as stop:
        call_command("reconcile_audit", tenant=busy.slug)
    assert stop.value.code == 0
    with as_system(busy.id):
        assert Reconciled.objects.get().whole


def test_an_empty_entry_of_the_newest_id_makes_nothing_unjudged(busy):
    """It looks like one that retention took, and stands at no place that a recorded pruning covers."""
    newest = "ffffffff-ffff-7fff-bfff-ffffffffffff"
    with database.superuser() as admin:
        admin.execute(FREE)
        admin.execute(
            "INSERT INTO audit_entry (tenant_id, id, time, action, actor_type, target_type, target_label, outcome,"
            " request_id, body) VALUES (%s, %s, now(), '', '', '', '', '', '', '')",
            [busy.id, newest],
        )
        admin.execute("UPDATE forms_grant SET id = %s WHERE tenant_id = %s", [new_id(), busy.id])
    with as_system(busy.id):
        assert "forms.Grant" in reconcile().reason


@pytest.mark.parametrize("data", ['{"item": "A", "total": 9000000}', "[1.5]"])
def test_answers_that_are_not_those_that_were_sent_are_not_shown_to_whoever_decides(busy, api, browse, data):
    page = browse(busy.reviewer)
    task = api.as_(busy.reviewer).get("/api/v1/tasks").json()["results"][0]
    pages = [busy.url(f"tasks/{task['id']}/"), busy.url(f"submissions/{task['submission']}/")]
    assert 'id="decision"' in page.get(pages[0]).content.decode()
    with database.superuser() as admin:
        admin.execute("UPDATE forms_revision SET data = %s WHERE id = %s", [data, task["revision"]])
    for address in pages:
        answer = page.get(address)
        text = answer.content.decode()
        assert (answer.status_code, "is not what was sent" in text) == (200, True)
        assert all(word not in text for word in ("9,000,000", "9000000", 'id="decision"'))
    asked = {"verdict": "approve", "revision": task["revision"]}
    answer = api.as_(busy.reviewer).post(f"/api/v1/tasks/{task['id']}/decide", asked)
    assert (answer.status_code, answer.json()["code"]) == (409, "not_as_sent")
