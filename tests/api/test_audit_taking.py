"""Saved views, exports of what is filtered, and the trail of one form or submission."""

from __future__ import annotations

import csv
import io
import json
from urllib.parse import parse_qsl, urlencode
from zoneinfo import ZoneInfo

import pytest
from django import forms
from django.db import transaction

from apps.accounts.rules import Role
from apps.audit import log_exports
from apps.audit.actions import Target, record
from apps.audit.filters import EntryFilter
from apps.audit.models import Entry, LogExport, SavedView
from apps.tenants.context import as_system
from apps.tenants.ids import new_id
from tests.cast import acting_as
from tests.forms import published, step

LOG = "settings/audit-log/"


@pytest.fixture(autouse=True)
def _place(settings, tmp_path):
    settings.EXPORTS_ROOT = tmp_path / "exports"


def test_a_view_is_kept_opened_renamed_and_deleted_by_its_person_alone(browse, acme, globex):
    mine = browse(acme.owner)
    kept = mine.post(acme.url(f"{LOG}views/?outcome=refused&before=x"), {"name": "Refusals"})
    assert kept["Location"] == acme.url(f"{LOG}?outcome=refused")
    assert ">Refusals</a>" in mine.get(acme.url(LOG)).content.decode()
    with as_system(acme.id):
        view = SavedView.objects.get()
    place = acme.url(f"{LOG}views/{view.pk}/")
    again = mine.post(acme.url(f"{LOG}views/?outcome=done"), {"name": "Refusals"})
    assert again.status_code == 422
    assert 'value="Refusals"' in again.content.decode()
    assert mine.post(acme.url(f"{LOG}views/"), {"name": "Everything"}).status_code == 422
    other = acme.member("Second", Role.OWNER)
    assert browse(other).get(place).status_code == 404
    assert browse(other).post(place, {"delete": "1"}).status_code == 404
    assert browse(globex.owner).get(globex.url(f"{LOG}views/{view.pk}/")).status_code == 404
    assert browse(acme.editor).get(place).status_code == 403
    assert mine.post(place, {"name": "What was refused"}).status_code == 302
    assert "What was refused" in mine.get(acme.url(f"{LOG}views/")).content.decode()
    assert mine.post(place, {"delete": "1"}).status_code == 302
    with as_system(acme.id):
        assert not SavedView.objects.exists()


def test_a_visitor_from_support_sees_the_owners_views_and_neither_makes_renames_nor_deletes_one(browse, browser, acme):
    assert browse(acme.owner).post(acme.url(f"{LOG}views/?outcome=refused"), {"name": "Mine"}).status_code == 302
    with as_system(acme.id):
        view = SavedView.objects.get()
    visit = {"tenant": str(acme.id), "reason": "Ticket 4711: it stops."}
    assert browser.post("/admin/accounts/supportvisit/add/", visit).status_code == 302
    assert "Mine" in browser.get(acme.url(f"{LOG}views/")).content.decode()
    place = acme.url(f"{LOG}views/{view.pk}/")
    for path, sent in (
        (acme.url(f"{LOG}views/?outcome=done"), {"name": "Another"}),
        (place, {"name": "Renamed"}),
        (place, {"delete": "1"}),
    ):
        assert browser.post(path, sent).status_code == 403
    with as_system(acme.id):
        assert SavedView.objects.get().name == "Mine"


def export(browser, company, query="", format_="csv"):
    """One that was asked for on the page and made by its job."""
    answer = browser.post(company.url(f"{LOG}exports/{query}"), {"format": format_})
    assert answer.status_code == 302, answer.content.decode()[:500]
    with as_system(company.id):
        found = LogExport.objects.latest("created_at")
        log_exports.make(found.pk)
        found.refresh_from_db()
    return found


def content(browser, company, found) -> bytes:
    answer = browser.get(company.url(f"{LOG}exports/{found.pk}/"))
    assert answer.status_code == 200
    return b"".join(answer.streaming_content)


def test_an_export_is_exactly_what_is_filtered_and_no_cell_is_a_formula(browse, acme, globex, monkeypatch):
    monkeypatch.setattr(log_exports, "BATCH", 2)
    things = [Target("submission", new_id(), label) for label in ('=HYPERLINK("x")', "+1", "@a", "-", "plain, \n“two”")]
    with acting_as(acme.owner), transaction.atomic():
        for thing in things:
            record("submission.sent", thing, facts={"revision": 1, "sha256": "00"}, on_behalf_of=acme.viewer.pk)
    browser = browse(acme.owner)
    found = export(browser, acme, "?action=submission.sent")
    assert (found.state, found.done, found.percent) == ("done", 5, 100)
    rows = list(csv.DictReader(io.StringIO(content(browser, acme, found).decode(), newline="")))
    assert [row["target"] for row in rows] == ['\'=HYPERLINK("x")', "'+1", "'@a", "'-", "plain, \n“two”"]
    assert all(row["seq"].isdigit() and row["actor"] == acme.owner.name for row in rows)
    assert {row["on_behalf_of"] for row in rows} == {str(acme.viewer.pk)}

    lines = content(browser, acme, export(browser, acme, "?action=submission.sent", "jsonl")).splitlines()
    with as_system(acme.id):
        bodies = [bytes(body) for body in Entry.objects.filter(action="submission.sent").order_by("time").values_list("body", flat=True)]  # fmt: skip
        assert [json.loads(line)["entry"] for line in lines] == [json.loads(body) for body in bodies]
        assert all(body in line for body, line in zip(bodies, lines, strict=True))
        acts = set(Entry.objects.filter(action__startswith="log_export.").values_list("action", flat=True))
    assert acts == {"log_export.asked", "log_export.made", "log_export.downloaded"}
    assert browse(globex.owner).get(globex.url(f"{LOG}exports/{found.pk}/")).status_code == 404
    assert browse(acme.editor).get(acme.url(f"{LOG}exports/{found.pk}/")).status_code == 403
    assert browse(acme.editor).post(acme.url(f"{LOG}exports/"), {"format": "csv"}).status_code == 403


WIDE = "\N{MATHEMATICAL BOLD CAPITAL K}"  # four bytes, twelve signs of an address


def longest():
    """The longest query that the filters let through: each of them, at its longest."""
    asked = EntryFilter(zone=ZoneInfo("UTC"))
    typed = {
        forms.DateField: lambda _field: "2026-12-31",
        forms.UUIDField: lambda _field: str(new_id()),
        forms.ChoiceField: lambda field: max((value for value, _title in field.choices), key=len),
        forms.CharField: lambda field: WIDE * field.max_length if field.max_length else "x" * 64,
    }
    return urlencode({name: typed[type(field)](field) for name, field in asked.fields.items()})


def test_whatever_the_filters_let_through_can_be_kept_as_a_view_and_exported(browse, acme):
    browser, query = browse(acme.owner), longest()
    assert EntryFilter(dict(parse_qsl(query)), zone=ZoneInfo("UTC")).is_valid()
    assert len(query) > 1800
    assert browser.get(acme.url(f"{LOG}?{query}")).status_code == 200
    answer = browser.post(acme.url(f"{LOG}views/?{query}"), {"name": "All at once"})
    assert dict(parse_qsl(answer["Location"].partition("?")[2])) == dict(parse_qsl(query))
    assert "All at once" in browser.get(acme.url(f"{LOG}views/")).content.decode()
    assert browser.get(answer["Location"]).status_code == 200
    found = export(browser, acme, f"?{query}")
    assert (found.state, found.done) == ("done", 0)
    assert dict(parse_qsl(found.query)) == dict(parse_qsl(query))


def told(company, action):
    with as_system(company.id):
        return Entry.objects.filter(action=action).latest("time")


def test_the_log_tells_which_entries_were_taken_and_not_what_was_typed(api, browse, acme):
    query = f"?actor={acme.editor.pk}&since=2026-01-02&text=Katarzyna"
    names = {"actor": str(acme.editor.pk), "since": "2026-01-02", "text": True}
    found = export(browse(acme.owner), acme, query)
    assert told(acme, "log_export.asked").facts["filters"] == names
    assert api.as_(acme.owner).get(f"/api/v1/audit/export{query}").status_code == 200
    assert told(acme, "audit.exported").facts["filters"] == names
    with as_system(acme.id):
        assert not Entry.objects.filter(body__contains=b"Katarzyna").exists()
        log_exports.drop(found.pk)
        assert LogExport.objects.get(pk=found.pk).query == ""
    page = browse(acme.owner).get(acme.url(f"{LOG}exports/")).content.decode()
    assert "Katarzyna" not in page
    assert "everything" not in page.partition('id="exports"')[2]


def test_an_export_says_how_far_it_is_when_it_failed_and_when_it_was_changed(browse, acme, monkeypatch):
    browser, seen = browse(acme.owner), []
    really = log_exports._lines

    def look(rows):
        seen.append(browser.get(acme.url(f"{LOG}exports/")).content.decode())
        return really(rows)

    with monkeypatch.context() as patched:
        patched.setattr(log_exports, "_lines", look)
        found = export(browser, acme)
    assert "0 %" in seen[0]
    assert "<progress" in seen[0]
    log_exports.path_of(found).write_bytes(b"other bytes")
    assert browser.get(acme.url(f"{LOG}exports/{found.pk}/")).status_code == 422
    with as_system(acme.id):
        log_exports.drop(found.pk)
    assert not log_exports.path_of(found).exists()
    assert browser.get(acme.url(f"{LOG}exports/{found.pk}/")).status_code == 404
    with monkeypatch.context() as patched:
        patched.setattr(log_exports.os, "fsync", lambda _file: (_ for _ in ()).throw(OSError("disk full")))
        broken = export(browser, acme)
    assert broken.state == "failed"
    assert "It could not be made" in browser.get(acme.url(f"{LOG}exports/")).content.decode()
    assert list(log_exports.path_of(broken).parent.iterdir()) == []


def test_a_trail_shows_to_each_what_the_rights_on_the_thing_allow(api, browse, acme, globex):
    form = published(api, acme.owner, step("manager", acme.reviewer))
    sent = api.as_(acme.editor).post(f"/api/v1/forms/{form}/submissions", {"data": {"item": "A lathe", "total": 7}})
    pk = sent.json()["id"]
    with as_system(acme.id), transaction.atomic():
        record("attachment.downloaded", Target("submission", pk, "A lathe"), facts={"sha256": "00"})
    place = acme.url(f"submissions/{pk}/trail/")
    whole, part = (browse(one).get(place).content.decode() for one in (acme.owner, acme.editor))
    assert f"{acme.editor.name} sent " in part
    assert "attachment.downloaded" in whole
    assert "attachment.downloaded" not in part
    assert "/proof/" not in part
    assert place in browse(acme.editor).get(acme.url(f"submissions/{pk}/")).content.decode()
    assert browse(acme.reviewer).get(place).status_code == 200
    assert browse(acme.viewer).get(place).status_code == 404
    assert browse(globex.owner).get(globex.url(f"submissions/{pk}/trail/")).status_code == 404
    slug = api.as_(acme.owner).get(f"/api/v1/forms/{form}").json()["slug"]
    about = acme.url(f"forms/{slug}/trail/")
    assert "Published a form" in browse(acme.owner).get(about).content.decode()
    assert browse(acme.editor).get(about).status_code == 403
    assert api.as_(acme.editor).get(f"/api/v1/forms/{form}/audit").status_code == 403
    assert browse(globex.owner).get(globex.url(f"forms/{slug}/trail/")).status_code == 404
