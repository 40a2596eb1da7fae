"""Files: taken for drafts, given out inert, refused when their bytes have changed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from apps.forms import store, sweeping
from apps.forms.actions import remove_attachment
from apps.forms.models import Attachment
from apps.tenants import clock
from apps.tenants.context import as_system
from tests.cast import acting_as
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


def swept_a_day_later(company) -> int:
    """What goes at the second look of two, when all that lies there has become old."""
    long_ago = clock.now().timestamp() - 2 * sweeping.PATIENCE.total_seconds()
    with as_system(company.id):
        assert sweeping.sweep() == 0, "at the first look nothing goes"
        for path in store.root(company.id).rglob("*"):
            os.utime(path, (long_ago, long_ago))
        return sweeping.sweep()


def test_a_file_that_no_row_refers_to_goes_after_a_day_and_no_other(api, acme, globex, draft):
    kept = store.path_of(acme.id, attach(api, acme.editor, draft).json()["sha256"])
    gone = attach(api, acme.editor, draft, "b.txt", b"taken out").json()
    rivals = store.write(globex.id, "c.txt", [b"not swept"])
    with acting_as(acme.editor):
        remove_attachment(Attachment.objects.get(pk=gone["id"]), by=acme.editor)
    assert store.path_of(acme.id, gone["sha256"]).exists()
    assert swept_a_day_later(acme) == 1
    assert not store.path_of(acme.id, gone["sha256"]).exists()
    assert store.path_of(globex.id, rivals.sha256).exists()
    assert [path for path in store.root(acme.id).rglob("*") if path.is_file()] == [kept]


def test_a_file_whose_row_is_refused_is_not_kept(api, acme, draft, monkeypatch):
    monkeypatch.setattr("apps.forms.actions.files.MOST_FILES", 1)
    twice = attach(api, acme.editor, draft).json()["sha256"]
    assert attach(api, acme.editor, draft, "b.txt", b"one too many").status_code == 400
    assert attach(api, acme.editor, draft).status_code == 400, "the same bytes again"
    assert [path.name for path in store.root(acme.id).rglob("*") if path.is_file()] == [twice]


def test_an_upload_whose_bytes_were_swept_away_before_its_row_leaves_no_row(api, acme, draft, monkeypatch):
    """The sweep came in between; the other way round it waits for the row, and finds it."""
    write = store.write

    def written_and_swept(*args) -> store.Stored:
        stored = write(*args)
        Path(store.path_of(acme.id, stored.sha256)).unlink()
        return stored

    monkeypatch.setattr("apps.forms.store.write", written_and_swept)
    assert attach(api, acme.editor, draft).status_code == 503
    with as_system(acme.id):
        assert not Attachment.objects.exists()
