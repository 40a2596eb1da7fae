"""Files: taken for drafts, given out inert, refused when their bytes have changed."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from apps.forms import store
from tests.forms import published, step


@pytest.fixture
def draft(api, acme):
    form = published(api, acme.owner, step("manager", acme.reviewer))
    asked = {"data": {"item": "Lathe", "total": 5}, "draft": True}
    return api.as_(acme.editor).post(f"/api/v1/forms/{form}/submissions", asked).json()


def attach(api, member, draft, name="quote.pdf", content=b"%PDF-1.4 hello"):
    body = {"field": "quotes", "file": SimpleUploadedFile(name, content)}
    return api.as_(member).post(f"/api/v1/submissions/{draft['id']}/attachments", body, format="multipart")


def test_a_file_comes_back_as_it_was_and_inert(api, acme, draft):
    made = attach(api, acme.editor, draft).json()
    answer = api.as_(acme.editor).get(f"/api/v1/attachments/{made['id']}/download")
    assert b"".join(answer.streaming_content) == b"%PDF-1.4 hello"
    assert answer["Content-Type"] == "application/octet-stream"
    assert "sandbox" in answer["Content-Security-Policy"]
    assert answer["Content-Disposition"].startswith("attachment")


@pytest.mark.parametrize(("name", "content"), [("x.exe", b"MZ"), ("x.pdf", b"<html>"), ("x.txt", b"\x00\x01")])
def test_a_file_that_is_not_what_it_says_is_refused(api, acme, draft, name, content):
    assert attach(api, acme.editor, draft, name, content).status_code == 400


def test_a_changed_byte_is_never_given_out(api, acme, draft):
    made = attach(api, acme.editor, draft).json()
    store.path_of(acme.id, made["sha256"]).write_bytes(b"%PDF-1.4 hellp")
    assert api.as_(acme.editor).get(f"/api/v1/attachments/{made['id']}/download").status_code == 400


def test_nobody_else_reaches_the_file_of_a_draft(api, acme, globex, draft):
    made = attach(api, acme.editor, draft).json()
    for other in (acme.reviewer, globex.owner):
        assert api.as_(other).get(f"/api/v1/attachments/{made['id']}/download").status_code == 404


@pytest.mark.parametrize("name", ["../../etc/passwd", "a\\b\\c.pdf", "\x00.pdf", "." * 300])
def test_a_name_never_becomes_a_path(name):
    assert "/" not in store.clean_name(name)
    assert "\\" not in store.clean_name(name)
