"""Who may fill a form: owners and members, only those it names, or anyone; a viewer only where named."""

from __future__ import annotations

import pytest

from apps.accounts.rules import Role
from apps.forms.rules.filling import Filling
from tests.forms import published, step

from .test_access import grant

ANSWERS = {"data": {"item": "A lathe", "total": 7}}


def opened(api, company, filling, slug="request"):
    """A published form that is open in this way."""
    form = published(api, company.owner, step("manager", company.reviewer), slug=slug)
    assert api.as_(company.owner).patch(f"/api/v1/forms/{form}", {"filling": filling}).status_code == 200
    return form


def doors(api, browse, member, company, form):
    """Whether this member gets in at each door where a form is filled; they must agree."""
    door, page = api.as_(member), browse(member)
    fill = company.url("forms/request/fill/")
    return {
        "api sends": door.post(f"/api/v1/forms/{form}/submissions", ANSWERS).status_code == 201,
        "api drafts": door.post(f"/api/v1/forms/{form}/submissions", ANSWERS | {"draft": True}).status_code == 201,
        "page shows": page.get(fill).status_code == 200,
        "page takes": page.post(fill, {"item": "A lathe", "total": "7", "do": "continue"}).status_code == 302,
        "preview": page.post(company.url("forms/request/preview/"), {"item": "x"}).status_code == 200,
    }


@pytest.mark.parametrize("named_by", ["USER", "ROLE", "TEAM", None])
@pytest.mark.parametrize("filling", Filling.values)
@pytest.mark.parametrize("role", [Role.MEMBER, Role.VIEWER])
def test_every_door_says_the_same_about_who_may_fill(api, browse, acme, role, filling, named_by):
    form = opened(api, acme, filling)
    other = acme.member("other", role)
    if named_by:
        principal = {"USER": other, "ROLE": role.value, "TEAM": acme.team("Board", other)}[named_by]
        assert grant(api, acme.owner, form, named_by, principal, "FILLER").status_code == 201
    may = bool(named_by) or (role is Role.MEMBER and filling != "named")
    assert set(doors(api, browse, other, acme, form).values()) == {may}
    listed = [row["id"] for row in api.as_(other).get("/api/v1/forms").json()["results"]]
    assert (form in listed) is may
    assert (api.as_(other).get(f"/api/v1/forms/{form}").status_code == 200) is may


def test_a_named_form_is_closed_to_its_own_owner_too(api, browse, acme):
    form = opened(api, acme, "named")
    assert set(doors(api, browse, acme.owner, acme, form).values()) == {False}
    assert api.as_(acme.owner).post(f"/api/v1/forms/{form}/submissions", ANSWERS).status_code == 403


def test_only_who_manages_a_form_opens_it(api, acme, globex):
    form = published(api, acme.owner, step("manager", acme.reviewer))
    grant(api, acme.owner, form, "USER", acme.editor, "EDITOR")
    assert api.as_(acme.editor).patch(f"/api/v1/forms/{form}", {"filling": "public"}).status_code == 403
    assert api.as_(acme.viewer).patch(f"/api/v1/forms/{form}", {"filling": "public"}).status_code in {403, 404}
    assert api.as_(globex.owner).patch(f"/api/v1/forms/{form}", {"filling": "public"}).status_code == 404
    assert api.as_(acme.owner).patch(f"/api/v1/forms/{form}", {"filling": "everyone"}).status_code == 400
    assert api.as_(acme.owner).get(f"/api/v1/forms/{form}").json()["filling"] == "members"


def test_a_draft_is_held_against_the_rule_of_now_and_a_correction_is_not(api, browse, acme):
    form = opened(api, acme, "members")
    door = api.as_(acme.editor)
    draft = door.post(f"/api/v1/forms/{form}/submissions", ANSWERS | {"draft": True}).json()
    sent = door.post(f"/api/v1/forms/{form}/submissions", ANSWERS).json()
    api.as_(acme.owner).patch(f"/api/v1/forms/{form}", {"filling": "named"})
    assert door.post(f"/api/v1/submissions/{draft['id']}/submit").status_code == 403
    assert browse(acme.editor).get(acme.url(f"submissions/{draft['id']}/edit/")).status_code == 403
    (task,) = api.as_(acme.reviewer).get("/api/v1/tasks").json()["results"]
    verdict = {"verdict": "send_back", "revision": sent["revision"], "reason": "Which one?"}
    assert api.as_(acme.reviewer).post(f"/api/v1/tasks/{task['id']}/decide", verdict).status_code == 201
    assert browse(acme.editor).get(acme.url(f"submissions/{sent['id']}/edit/")).status_code == 200
    door.patch(f"/api/v1/submissions/{sent['id']}", {"data": {"item": "A long lathe", "total": 8}})
    assert door.post(f"/api/v1/submissions/{sent['id']}/submit").json()["state"] == "in_review"


def test_a_filler_reads_and_decides_nothing_by_that(api, acme):
    form = opened(api, acme, "named")
    grant(api, acme.owner, form, "USER", acme.viewer, "FILLER")
    grant(api, acme.owner, form, "USER", acme.editor, "FILLER")
    sent = api.as_(acme.editor).post(f"/api/v1/forms/{form}/submissions", ANSWERS).json()
    assert api.as_(acme.viewer).get(f"/api/v1/submissions/{sent['id']}").status_code == 404
    assert api.as_(acme.viewer).get("/api/v1/tasks").status_code == 403
    assert api.as_(acme.viewer).get(f"/api/v1/forms/{form}/access").status_code == 403


def test_the_page_opens_a_form_and_the_log_says_so(api, browse, acme):
    form = published(api, acme.owner, step("manager", acme.reviewer))
    url = acme.url("forms/request/access/")
    assert browse(acme.owner).post(url, {"filling": "named"}).status_code == 302
    assert browse(acme.owner).post(url, {"filling": "everyone"}).status_code == 422
    trail = api.as_(acme.owner).get(f"/api/v1/forms/{form}/audit").json()["results"]
    (change,) = [row for row in trail if row["action"] == "filling.changed"]
    assert change["facts"] == {"filling": "named", "before": "members"}


def test_a_form_that_lists_people_is_never_public(api, acme):
    form = published(api, acme.owner, step("manager", acme.reviewer))
    schema = {"type": "object", "properties": {"host": {"type": "string", "format": "person", "title": "Host"}}}
    door = api.as_(acme.owner)
    assert door.patch(f"/api/v1/forms/{form}", {"schema": schema, "filling": "public"}).status_code == 200
    assert door.post(f"/api/v1/forms/{form}/publish").status_code == 400
    door.patch(f"/api/v1/forms/{form}", {"filling": "members"})
    assert door.post(f"/api/v1/forms/{form}/publish").status_code == 201
    assert door.patch(f"/api/v1/forms/{form}", {"filling": "public"}).status_code == 400
