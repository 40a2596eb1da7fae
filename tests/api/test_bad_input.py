"""Whatever is sent, the answer is a clear problem that names the place; never a 500, and nothing is kept of it."""

from __future__ import annotations

import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from tests.cast import acting_as
from tests.forms import SCHEMA, body, published, step

JSON = "application/json"


def problem(answer):
    """The body of a refusal, after its shape was checked."""
    assert answer["Content-Type"].startswith("application/problem+json"), answer.content[:300]
    found = answer.json()
    assert found["status"] == answer.status_code
    assert found["request_id"] == answer["X-Request-ID"]
    assert found["type"].startswith("urn:orkestra:problem:")
    return found


def places(answer):
    return {error["field"] for error in problem(answer)["errors"]}


BODIES = {
    "malformed": (b'{"data": ', 400),
    "no JSON at all": (b"hello", 400),
    "not UTF-8": (b'{"data": "\xff"}', 400),
    "NaN": (b'{"data": {"total": NaN}}', 400),
    "a list": (b"[1, 2]", 400),
    "a number": (b"3", 400),
    "null": (b"null", 400),
    "nested without end": (b'{"data": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400),
    "a number of 10,000 digits": (b'{"data": {"total": ' + b"9" * 10_000 + b"}}", 400),
    "larger than any form": (b'{"data": {"item": "' + b"x" * 3_000_000 + b'"}}', 413),
}


@pytest.mark.parametrize(("sent", "status"), BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("path", ["forms", "forms/{form}/submissions", "forms/{form}/access", "auth/switch"])
def test_a_body_that_cannot_be_read_is_refused(api, acme, path, sent, status):
    form = published(api, acme.owner, step("manager", acme.reviewer)) if "{form}" in path else ""
    answer = api.as_(acme.owner).post(f"/api/v1/{path.format(form=form)}", sent, content_type=JSON)
    assert answer.status_code == status
    problem(answer)


@pytest.mark.parametrize("kind", ["text/xml", "application/x-www-form-urlencoded", "text/plain"])
def test_another_kind_of_body_is_refused(api, acme, kind):
    answer = api.as_(acme.owner).post("/api/v1/forms", b"a=1", content_type=kind)
    assert answer.status_code == 415
    problem(answer)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"title": None}, "title"),
        ({"title": 3 * ["x"]}, "title"),
        ({"title": "x" * 201}, "title"),
        ({"title": "a\0b"}, "title"),
        ({"slug": "With Space"}, "slug"),
        ({"schema": "{}"}, "schema"),
        ({"schema": {"type": "object"}}, "schema.properties"),
        ({"schema": SCHEMA | {"if": {}}}, "schema.if"),
        ({"ui": {"fields": {"total": {"computed": "data.total +"}}}}, "ui.fields.total.computed"),
        ({"path": {"steps": []}}, "path.steps"),
        ({"path": []}, "path"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_wrong_field_of_a_form_is_named(api, acme, change, place):
    sent = {key: value for key, value in (body(step("a", acme.reviewer)) | change).items() if value is not None}
    answer = api.as_(acme.owner).post("/api/v1/forms", sent)
    assert answer.status_code == 400, answer.json()
    assert place in places(answer)


@pytest.mark.parametrize("kind", ["team", "user"])
def test_a_path_that_asks_somebody_who_is_not_there_is_refused_by_its_place(api, acme, globex, kind):
    strangers = {"team": globex.team("Board", globex.owner).pk, "user": globex.owner.pk}
    approvers = [{"type": kind, "id": str(strangers[kind])}]
    sent = body({"key": "a", "name": "A", "approvers": approvers, "quorum": {"kind": "any"}})
    made = api.as_(acme.owner).post("/api/v1/forms", sent)
    answer = made if made.status_code == 400 else api.as_(acme.owner).post(f"/api/v1/forms/{made.json()['id']}/publish")
    assert answer.status_code == 400
    assert places(answer) == {"path.steps.0.approvers.0.id"}


def test_two_forms_cannot_have_one_address(api, acme):
    for status in (201, 400):
        answer = api.as_(acme.owner).post("/api/v1/forms", body(step("a", acme.reviewer)))
        assert answer.status_code == status
    assert places(answer) == {"slug"}


@pytest.mark.parametrize("identity", ["x", "0", "0190c0de-0000-7000-8000-000000000001", "'; --", "%00", "..%2f.."])
@pytest.mark.parametrize("path", ["forms", "submissions", "tasks", "members", "teams", "audit/entries"])
def test_an_unknown_id_is_not_found(api, acme, path, identity):
    answer = api.as_(acme.owner).get(f"/api/v1/{path}/{identity}")
    assert answer.status_code == 404
    problem(answer)


@pytest.mark.parametrize("verdict", ["maybe", "", None, 3, ["approve"]])
def test_an_unknown_verdict_is_refused(api, acme, verdict):
    form = published(api, acme.owner, step("manager", acme.reviewer))
    api.as_(acme.editor).post(f"/api/v1/forms/{form}/submissions", {"data": {"item": "Lathe", "total": 5}})
    (task,) = api.as_(acme.reviewer).get("/api/v1/tasks").json()["results"]
    sent = {"verdict": verdict, "revision": task["revision"], "reason": "x"}
    answer = api.as_(acme.reviewer).post(f"/api/v1/tasks/{task['id']}/decide", sent)
    assert answer.status_code == 400
    assert places(answer) == {"verdict"}


@pytest.mark.parametrize(
    "query",
    ["cursor=x", "cursor=%00", "page_size=0", "page_size=-1", "page_size=x", "page_size=99999999999999999999"],
)
@pytest.mark.parametrize("path", ["forms", "submissions", "tasks", "audit/entries", "members"])
def test_a_wrong_page_is_answered_and_never_breaks(api, acme, path, query):
    answer = api.as_(acme.owner).get(f"/api/v1/{path}?{query}")
    assert answer.status_code in {200, 400, 404}
    if answer.status_code != 200:
        problem(answer)


def draft_of(api, acme):
    form = published(api, acme.owner, step("manager", acme.reviewer))
    sent = {"data": {"item": "Lathe", "total": 5}, "draft": True}
    return api.as_(acme.editor).post(f"/api/v1/forms/{form}/submissions", sent).json()["id"]


def test_a_file_that_is_too_large_is_refused_by_its_size(api, acme, settings):
    settings.ATTACHMENT_MAX_BYTES = 1000
    sent = {"field": "quotes", "file": SimpleUploadedFile("a.txt", b"x" * 1001)}
    answer = api.as_(acme.editor).post(
        f"/api/v1/submissions/{draft_of(api, acme)}/attachments", sent, format="multipart"
    )
    assert answer.status_code == 413
    problem(answer)
    assert not list((settings.ATTACHMENTS_ROOT / str(acme.id)).rglob("*.partial*"))


@pytest.mark.parametrize(
    ("sent", "place"),
    [
        ({}, "file"),
        ({"field": "quotes", "file": "text"}, "file"),
        ({"field": "item", "file": SimpleUploadedFile("a.txt", b"x")}, "field"),
        ({"field": "nothing", "file": SimpleUploadedFile("a.txt", b"x")}, "field"),
        ({"field": "quotes", "file": SimpleUploadedFile("a.txt", b"")}, "file"),
    ],
)
def test_a_wrong_upload_is_named(api, acme, sent, place):
    answer = api.as_(acme.editor).post(
        f"/api/v1/submissions/{draft_of(api, acme)}/attachments", sent, format="multipart"
    )
    assert answer.status_code == 400
    assert place in places(answer)


def test_what_was_typed_is_kept_on_the_page_that_says_what_is_wrong(browse, api, acme):
    published(api, acme.owner, step("manager", acme.reviewer))
    typed = {"item": 'A "lathe" <b>&', "total": "seven", "do": "continue"}
    answer = browse(acme.editor).post(acme.url("forms/request/fill/"), typed)
    assert answer.status_code == 422
    text = answer.content.decode()
    assert 'value="A &quot;lathe&quot; &lt;b&gt;&amp;"' in text
    assert 'value="seven"' in text
    assert "Enter a whole number." in text


def test_a_form_that_is_wrong_keeps_what_its_author_typed(browse, acme):
    typed = {"title": "My form", "slug": "my-form", "schema": '{"type": ', "ui": "", "path": '{"steps": []}'}
    answer = browse(acme.owner).post(acme.url("forms/new/"), typed)
    assert answer.status_code == 422
    text = answer.content.decode()
    assert "My form" in text
    assert "{&quot;type&quot;: " in text


def test_nothing_of_what_was_refused_is_stored(api, acme):
    from apps.forms.models import Form, Submission

    api.as_(acme.owner).post("/api/v1/forms", body(step("a", acme.reviewer)) | {"schema": {}})
    form = published(api, acme.owner, step("manager", acme.reviewer))
    api.as_(acme.editor).post(f"/api/v1/forms/{form}/submissions", {"data": {"total": "x"}})
    with acting_as(acme.owner):
        assert Form.objects.count() == 1
        assert Submission.objects.count() == 0


def test_errors_are_json_even_where_nobody_is_signed_in(api, client_of):
    answer = api.post("/api/v1/auth/token", json.dumps({"email": 3}), content_type=JSON)
    assert answer.status_code == 400
    assert {"email", "password"} <= places(answer)


@pytest.mark.parametrize("length", ["99999999999", "-1", "x"])
def test_a_request_beyond_all_limits_is_refused_before_it_is_read(api, browse, acme, length):
    sent = {"data": b"", "content_type": "multipart/form-data; boundary=x", "CONTENT_LENGTH": length}
    assert browse(acme.editor).generic("POST", acme.url("forms/new/"), **sent).status_code == 413
    answer = api.as_(acme.editor).generic("POST", "/api/v1/forms", **sent)
    assert answer.status_code == 413
    problem(answer)


@pytest.mark.parametrize("method", ["post", "put", "delete", "patch"])
def test_a_method_that_a_list_does_not_take_is_refused(api, acme, method):
    answer = getattr(api.as_(acme.owner), method)("/api/v1/tasks")
    assert answer.status_code == 405
    assert "GET" in answer["Allow"]
    problem(answer)
