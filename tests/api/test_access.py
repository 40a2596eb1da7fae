"""Grants on a form: one rule for list, detail, submissions, files and change; within the ceiling of the tenant role."""

from __future__ import annotations

import itertools

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from apps.accounts.rules import Role
from apps.forms.access import CAPABILITIES, capabilities
from apps.forms.models import Form, GrantRole
from tests.cast import acting_as
from tests.forms import published, step

from .test_api_keys import door, make

DOES = {"manage": ("get", "access"), "edit": ("post", "publish")}


def grant(api, owner, form, kind, principal, role):
    body = {"principal_type": kind, "principal_id": str(getattr(principal, "pk", principal)), "role": role}
    return api.as_(owner).post(f"/api/v1/forms/{form}/access", body)


def may(api, member, form):
    """What the API lets this member do on the form, by trying."""
    door = api.as_(member)
    return {
        name
        for name, (verb, path) in DOES.items()
        if getattr(door, verb)(f"/api/v1/forms/{form}/{path}").status_code < 400
    }


@pytest.mark.parametrize("role", GrantRole.values)
@pytest.mark.parametrize("kind", ["USER", "ROLE", "TEAM"])
def test_a_grant_opens_exactly_what_its_role_says_to_whom_it_names(api, acme, kind, role):
    form = published(api, acme.owner, step("manager", acme.reviewer))
    other = acme.member("other", Role.VIEWER)
    team = acme.team("Board", acme.editor)
    principal = {"USER": acme.editor, "ROLE": "member", "TEAM": team}[kind]
    assert may(api, acme.editor, form) == set()
    assert grant(api, acme.owner, form, kind, principal, role).status_code == 201
    assert may(api, acme.editor, form) == CAPABILITIES[GrantRole(role)] & set(DOES)
    assert may(api, other, form) == set()
    assert may(api, acme.reviewer, form) == (CAPABILITIES[GrantRole(role)] & set(DOES) if kind == "ROLE" else set())


@pytest.mark.parametrize("role", GrantRole.values)
def test_no_grant_lifts_a_viewer_over_the_ceiling(api, acme, role):
    form = published(api, acme.owner, step("manager", acme.reviewer))
    grant(api, acme.owner, form, "USER", acme.viewer, role)
    assert may(api, acme.viewer, form) == set()
    assert api.as_(acme.viewer).get(f"/api/v1/forms/{form}").status_code == 200


def sent_with_a_file(api, acme, form):
    door = api.as_(acme.editor)
    draft = door.post(f"/api/v1/forms/{form}/submissions", {"data": {"item": "x", "total": 1}, "draft": True}).json()
    body = {"field": "quotes", "file": SimpleUploadedFile("a.pdf", b"%PDF-1.4 x")}
    file = door.post(f"/api/v1/submissions/{draft['id']}/attachments", body, format="multipart").json()
    assert door.post(f"/api/v1/submissions/{draft['id']}/submit").status_code == 200
    return draft["id"], file["id"]


def sees(api, browse, member, acme, submission, file):
    """Every door to one submission, as answers: list, detail, files, download, page, page's file."""
    door, page = api.as_(member), browse(member)
    listed = [row["id"] for row in door.get("/api/v1/submissions").json()["results"]]
    return {
        submission in listed,
        door.get(f"/api/v1/submissions/{submission}").status_code == 200,
        door.get(f"/api/v1/submissions/{submission}/attachments").status_code == 200,
        door.get(f"/api/v1/attachments/{file}/download").status_code == 200,
        page.get(acme.url(f"submissions/{submission}/")).status_code == 200,
        page.get(acme.url(f"files/{file}/")).status_code == 200,
    }


def test_list_detail_and_files_never_differ(api, browse, acme, globex):
    form = published(api, acme.owner, step("manager", acme.reviewer))
    submission, file = sent_with_a_file(api, acme, form)
    other = acme.member("other")
    expected = {
        acme.editor: True,  # sent it
        acme.reviewer: True,  # is asked
        acme.owner: True,  # owns the form
        other: False,
        acme.viewer: False,
    }
    for member, seen in expected.items():
        assert sees(api, browse, member, acme, submission, file) == {seen}, member.name
    assert sees(api, browse, globex.owner, acme, submission, file) == {False}
    grant(api, acme.owner, form, "USER", other, "REVIEWER")
    assert sees(api, browse, other, acme, submission, file) == {True}
    grant(api, acme.owner, form, "USER", acme.viewer, "EDITOR")
    assert sees(api, browse, acme.viewer, acme, submission, file) == {False}


def test_all_sets_of_grants_agree_with_a_plain_reading_of_the_rules(api, acme):
    form_id = published(api, acme.owner, step("manager", acme.reviewer))
    team = acme.team("Board", acme.editor, acme.viewer)
    rows = [("USER", acme.editor), ("ROLE", "member"), ("TEAM", team), ("ROLE", "viewer")]
    held: set[tuple[int, str]] = set()
    for (index, (kind, principal)), role in itertools.product(enumerate(rows), GrantRole.values):
        assert grant(api, acme.owner, form_id, kind, principal, role).status_code == 201
        held.add((index, role))
        for member, matching in ((acme.editor, {0, 1, 2}), (acme.reviewer, {1}), (acme.viewer, {2, 3})):
            plain = set().union(*(CAPABILITIES[GrantRole(name)] for which, name in held if which in matching))
            plain -= set() if member.role != "viewer" else {"manage", "edit"}
            with acting_as(member):
                found = capabilities(Form.objects.get(pk=form_id), member)
            assert found - {"fill"} == plain, (member.name, sorted(held))


def test_a_grant_that_is_taken_back_closes_at_once(api, acme):
    form = published(api, acme.owner, step("manager", acme.reviewer))
    made = grant(api, acme.owner, form, "USER", acme.editor, "OWNER").json()
    assert may(api, acme.editor, form) == {"manage", "edit"}
    assert api.as_(acme.owner).delete(f"/api/v1/forms/{form}/access/{made['id']}").status_code == 204
    assert may(api, acme.editor, form) == set()


def test_a_form_keeps_an_owner_who_can_sign_in(api, acme):
    form = published(api, acme.owner, step("manager", acme.reviewer))
    (only,) = api.as_(acme.owner).get(f"/api/v1/forms/{form}/access").json()["results"]
    empty = acme.team("Nobody")
    grant(api, acme.owner, form, "TEAM", empty, "OWNER")
    assert api.as_(acme.owner).delete(f"/api/v1/forms/{form}/access/{only['id']}").status_code == 400
    grant(api, acme.owner, form, "USER", acme.editor, "OWNER")
    assert api.as_(acme.owner).delete(f"/api/v1/forms/{form}/access/{only['id']}").status_code == 204


def test_nobody_grants_to_a_rivals_people(api, acme, globex):
    form = published(api, acme.owner, step("manager", acme.reviewer))
    assert grant(api, acme.owner, form, "USER", globex.owner, "OWNER").status_code == 400
    assert grant(api, acme.owner, form, "TEAM", globex.team("T"), "OWNER").status_code == 400
    assert grant(api, globex.owner, form, "USER", globex.owner, "OWNER").status_code == 404


def test_the_page_gives_explains_and_takes_back(api, browse, acme):
    published(api, acme.owner, step("manager", acme.reviewer))
    team = acme.team("Board", acme.editor)
    page, url = browse(acme.owner), acme.url("forms/request/access/")
    assert page.post(url, {"principal": f"TEAM:{team.pk}", "role": "EDITOR"}).status_code == 302
    text = page.get(url).content.decode()
    assert "EDITOR as Board" in text
    assert page.post(url, {"principal": "TEAM:x", "role": "EDITOR"}).status_code == 422
    assert browse(acme.editor).get(url).status_code == 403
    assert browse(acme.viewer).get(url).status_code in {403, 404}
    (mine,) = api.as_(acme.owner).get("/api/v1/forms").json()["results"]
    grants = api.as_(acme.owner).get(f"/api/v1/forms/{mine['id']}/access").json()["results"]
    to_team = next(row for row in grants if row["principal_type"] == "TEAM")
    page.post(acme.url(f"forms/request/access/{to_team['id']}/"))
    assert "EDITOR as Board" not in page.get(url).content.decode()


def test_a_key_does_no_more_on_a_form_than_its_scopes_say(api, acme):
    form = published(api, acme.owner, step("manager", acme.reviewer))
    answers = {"data": {"item": "x", "total": 1}}
    mine = api.as_(acme.owner).post(f"/api/v1/forms/{form}/submissions", answers).json()
    reads = door(make(api, acme.owner, ["forms.read", "submissions.read"]).json()["key"])
    assert reads.get(f"/api/v1/forms/{form}").status_code == 200
    assert reads.post(f"/api/v1/forms/{form}/submissions", answers).status_code == 403
    assert reads.post(f"/api/v1/submissions/{mine['id']}/withdraw").status_code == 403
    granted = {"principal_type": "ROLE", "principal_id": "member", "role": "OWNER"}
    assert reads.post(f"/api/v1/forms/{form}/access", granted).status_code == 403
    fills = door(make(api, acme.owner, ["forms.read", "forms.fill"]).json()["key"])
    assert fills.post(f"/api/v1/forms/{form}/submissions", answers).status_code == 201
