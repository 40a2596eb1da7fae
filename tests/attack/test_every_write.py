"""Every operation of the API that writes, from its own description: no field beyond those it names, and no power by any."""

from __future__ import annotations

import pytest
from drf_spectacular.generators import SchemaGenerator

from apps.accounts.models import Invitation, Member, Team, TeamMember, User
from apps.accounts.sso.models import PURPOSE, SsoConnection
from apps.comms.models import WebhookEndpoint
from apps.forms.models import Form, Grant, Submission
from apps.tenants.context import as_system
from apps.tenants.encryption import seal
from apps.tenants.ids import new_id
from apps.tenants.models import Tenant
from tests.forms import published, step
from tests.watch import EXTRA

PUBLIC = "/api/v1/auth/"
READS = "/ofrep/"  # POST by its protocol; it writes nothing, and ignores what it does not know


def writes():
    """(method, path, fields of the JSON body) of every operation that takes one."""
    document = SchemaGenerator().get_schema(public=True)
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            body = operation.get("requestBody", {}).get("content", {}).get("application/json")
            if method in {"post", "patch", "put"} and body and not path.startswith(READS):
                name = body["schema"].get("$ref", "").rpartition("/")[2]
                known = document["components"]["schemas"].get(name, body["schema"]).get("properties", {})
                yield method, path, frozenset(known)


WRITES = sorted(writes(), key=lambda one: (one[1], one[0]))


@pytest.fixture
def stage(api, acme):
    """A company in which each kind of thing is there; part of a path -> its id."""
    form = published(api, acme.owner, step("a", acme.reviewer))
    door = api.as_(acme.owner)
    sent = api.as_(acme.editor).post(f"/api/v1/forms/{form}/submissions", {"data": {"item": "A", "total": 3}}).json()
    hook = door.post("/api/v1/webhooks", {"url": "https://hooks.example/in", "events": ["submission.sent"]}).json()
    account = door.post("/api/v1/service-accounts", {"name": "CI", "role": "viewer"}).json()
    (task,) = api.as_(acme.reviewer).get("/api/v1/tasks").json()["results"]
    team = acme.team("Plant", acme.editor)
    with as_system(acme.id):
        kept = {"kind": "oidc", "name": "x", "issuer": "https://idp.example", "client_id": "x"}
        provider = SsoConnection.objects.create(**kept, client_secret=seal(PURPOSE, "x"), default_role="viewer")
    return {
        "forms": form, "submissions": sent["id"], "webhooks": hook["id"], "service-accounts": account["id"],
        "domains": door.post("/api/v1/sso/domains", {"domain": "acme.example"}).json()["id"],
        "providers": str(provider.pk), "tasks": task["id"], "teams": str(team.pk), "members": str(acme.editor.pk),
    }  # fmt: skip


def filled(path, stage):
    parts = path.split("/")
    return "/".join(
        stage.get(parts[number - 1], str(new_id())) if part.startswith("{") else part
        for number, part in enumerate(parts)
    )


def power(company):
    """Everything that says who may what, to be compared."""
    with as_system(company.id):
        members = list(Member.objects.order_by("pk").values())
        people = [one["user_id"] for one in members]
        return (
            members,
            list(
                User.objects.filter(pk__in=people)
                .order_by("pk")
                .values("pk", "is_platform_admin", "is_active", "email")
            ),
            list(Tenant.objects.filter(pk=company.id).values()),
            list(Grant.objects.order_by("pk").values()),
            list(TeamMember.objects.order_by("pk").values()),
            list(Team.objects.order_by("pk").values()),
            list(Invitation.objects.order_by("pk").values()),
            list(WebhookEndpoint.objects.order_by("pk").values("pk", "url", "tenant_id", "off")),
            list(Form.objects.order_by("pk").values("pk", "tenant_id", "live_version_id", "created_by_id", "filling")),
            list(Submission.objects.order_by("pk").values("pk", "tenant_id", "submitter_id", "case_id", "case__state")),
        )


def test_the_walk_finds_the_writes():
    assert len(WRITES) >= 20
    assert {"/api/v1/api-keys", "/api/v1/forms", "/api/v1/members/{id}", "/api/v1/webhooks"} <= {
        p for _m, p, _f in WRITES
    }


def test_no_write_takes_a_field_that_it_does_not_name(api, acme, stage):
    door, before, loose = api.as_(acme.owner), power(acme), []
    reviewer, unreached = api.as_(acme.reviewer), set()
    for method, path, known in WRITES:
        asks = reviewer if "/tasks/" in path else door
        sent = {field: value for field, value in EXTRA.items() if field not in known}
        answer = getattr(asks, method)(filled(path, stage), sent, format="json")
        named = {str(error["field"]) for error in answer.json().get("errors", [])}
        if answer.status_code in {402, 404}:
            unreached.add(path)  # nothing of the kind is there, or it is off; its body is read by the same class
        elif answer.status_code != 400 or not set(sent) <= named:
            loose.append((method, path, answer.status_code, sorted(set(sent) - named)))
    assert loose == []
    assert unreached <= {
        "/api/v1/ai/summaries/{id}/answer",
        "/api/v1/audit/streams/{id}/replay",
        "/api/v1/stuck-steps/{id}/staff",
    }
    assert power(acme) == before


@pytest.mark.parametrize("who", ["viewer", "editor"])
def test_no_field_of_any_write_gives_a_member_or_a_viewer_more(api, acme, stage, who):
    """Each write with every field that it names, filled with what would help; what a role may do is left as it is."""
    door, before = api.as_(getattr(acme, who)), power(acme)
    me = str(getattr(acme, who).pk)
    helps = EXTRA | {
        "is_active": True,
        "member": me,
        "principal_id": me,
        "principal_type": "USER",
        "scopes": ["audit.read"],
    }
    passed = []
    for method, path, known in WRITES:
        whole = {field: helps.get(field, me) for field in known}
        for sent in [whole, *({field: value} for field, value in whole.items())]:
            answer = getattr(door, method)(filled(path, stage), sent, format="json")
            assert answer.status_code < 500, (method, path, sent)
            if answer.status_code < 400 and not path.startswith(PUBLIC):
                passed.append((method, path, sorted(sent)))
    assert power(acme) == before, passed
