"""What the API's description promises, asked of the API: no answer of 500 or more, none that is not described.

Cases are made by schemathesis from the OpenAPI document, with a fixed seed; ids are often real ones.
"""

from __future__ import annotations

import json
from datetime import timedelta
from functools import lru_cache
from importlib.resources import files
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import call_command
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from apps.accounts.models import Member, Team
from apps.accounts.tokens import issue_access
from apps.approvals.models import Assignment, Delegation
from apps.audit.models import Entry
from apps.forms.models import Form, Submission
from apps.tenants import clock
from apps.tenants.ids import new_id
from tests.cast import Company, acting_as, company
from tests.clients import Api
from tests.forms import published, step

EXAMPLES = 12
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
# A part of the path -> rows whose ids it takes.
REAL: dict[str, Any] = {
    "forms": Form, "submissions": Submission, "tasks": Assignment, "members": Member, "teams": Team, "entries": Entry,
    "delegations": Delegation,
}  # fmt: skip


@lru_cache(maxsize=1)
def described() -> Any:
    """The document as a client gets it, and the application behind it."""
    found = schemathesis.openapi.from_dict(SchemaGenerator().get_schema(public=True))
    found.app = WSGIHandler()
    return found


def operations() -> dict[str, Any]:
    return {made.ok().label: made.ok() for made in described().get_all_operations()}


OPERATIONS = operations()


def test_the_description_names_every_area_of_the_contract():
    paths = {label.split(" ")[1] for label in OPERATIONS}
    assert {
        "/api/v1/me", "/api/v1/forms/{id}/publish", "/api/v1/tasks/{id}/decide", "/api/v1/audit/entries", "/api/v1/usage",
    } <= paths  # fmt: skip


def real_ids(member: Member, path: str) -> list[str]:
    """Ids of rows that the last collection of the path holds."""
    named = [part for part in path.split("/") if part in REAL]
    with acting_as(member):
        rows = REAL[named[-1]].objects.values_list("pk", flat=True)[:20] if named else []
        return [str(pk) for pk in rows]


def at_work(company: Company) -> Member:
    """A company with a form, a submission that waits, a team and a stand-in; its owner."""
    api = Api()
    form = published(api, company.owner, step("manager", company.reviewer))
    sent = api.as_(company.editor).post(f"/api/v1/forms/{form}/submissions", {"data": {"item": "A", "total": 3}})
    assert sent.status_code == 201
    company.team("Plant 2", company.editor)
    until = (clock.now() + timedelta(days=3)).isoformat()
    named = api.as_(company.owner).post("/api/v1/delegations", {"stand_in": str(company.editor.pk), "ends_at": until})
    assert named.status_code == 201
    return company.owner


@lru_cache(maxsize=1)
def company_to_read() -> Member:
    """The company of all operations that only read; one that writes gets its own."""
    return at_work(company("acme"))


def token_of(member: Member) -> str:
    return issue_access(user=member.user_id, tenant=member.tenant_id, family=new_id(), auth_time=clock.now(), amr="pwd")


@pytest.mark.database
@pytest.mark.parametrize("label", sorted(OPERATIONS))
def test_every_answer_of_an_operation_is_described(label):
    operation = OPERATIONS[label]
    owner = company_to_read() if label.startswith("GET ") else at_work(company("acme"))
    ids = real_ids(owner, operation.path)

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(), real=st.sampled_from(ids) if ids else st.none(), signed_in=st.booleans())
    def ask(case: Any, real: str | None, signed_in: bool) -> None:
        if real and "id" in (case.path_parameters or {}):
            case.path_parameters["id"] = real
        headers = {"Host": "localhost"} | ({"Authorization": f"Bearer {token_of(owner)}"} if signed_in else {})
        case.call_and_validate(headers=headers, checks=CHECKS)

    ask()


def test_the_document_is_made_without_a_warning(tmp_path):
    call_command("spectacular", file=str(tmp_path / "schema.json"), format="openapi-json", fail_on_warn=True)
    document = json.loads((tmp_path / "schema.json").read_text())
    minor = ".".join(document["openapi"].split(".")[:2]).replace(".", "_")
    rules = files("drf_spectacular.validation").joinpath(f"openapi_{minor}_schema.json").read_text()
    jsonschema_rs.validator_for(json.loads(rules)).validate(document)
