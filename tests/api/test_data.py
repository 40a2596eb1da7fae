"""Settings → Data: what is stored, an export made by a job and given out once checked, and what may be deleted."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import timedelta

import pytest
import time_machine

from apps.audit.models import Entry
from apps.billing import actions as billing
from apps.forms import export as tables
from apps.forms.actions import exports
from apps.forms.models import Export, Form, Submission
from apps.tenants import catalogue, clock
from apps.tenants.context import as_system
from apps.tenants.slots import slots
from tests.cast import PASSWORD
from tests.forms import body, published, step

ANSWERS = {"data": {"item": "A lathe", "total": 7}}


@pytest.fixture(autouse=True)
def _place(settings, tmp_path):
    settings.EXPORTS_ROOT = tmp_path / "exports"


@pytest.fixture
def owner_page(client_of, acme):
    """The owner's browser, signed in just now through the door."""
    client_of.post("/account/login/", {"login": acme.owner.user.email, "password": PASSWORD})
    return client_of


def asked(owner_page, company):
    """An export that was asked for on the page."""
    answer = owner_page.post(company.url("settings/data/"))
    assert answer.status_code == 302, answer.content.decode()[:300]
    with as_system(company.id):
        return Export.objects.latest("created_at")


def made(owner_page, company):
    """An export that the job has made."""
    found = asked(owner_page, company)
    with as_system(company.id):
        exports.make_export(found.pk)
        return Export.objects.get(pk=found.pk)


def lines(archive, name):
    return [json.loads(line) for line in archive.read(f"{name}.jsonl").decode().splitlines()]


def test_an_export_holds_this_tenants_data_and_no_others(api, owner_page, acme, globex):
    form = published(api, acme.owner, step("manager", acme.reviewer))
    sent = api.as_(acme.editor).post(f"/api/v1/forms/{form}/submissions", ANSWERS).json()
    published(api, globex.owner, step("manager", globex.reviewer))
    found = made(owner_page, acme)
    answer = owner_page.get(acme.url(f"settings/data/exports/{found.pk}/"))
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
    content = b"".join(answer.streaming_content)
    archive = zipfile.ZipFile(io.BytesIO(content))
    manifest = json.loads(archive.read("manifest.json"))
    assert manifest["tenant"]["slug"] == acme.slug
    assert set(manifest["rows"]) == {table.name for table in tables.TABLES}
    assert [one["id"] for one in lines(archive, "submissions")] == [sent["id"]]
    assert lines(archive, "submissions")[0]["state"] == "in_review"
    assert [one["data"] for one in lines(archive, "revisions")] == [ANSWERS["data"]]
    assert {one["email"] for one in lines(archive, "members")} == {
        person.user.email for person in (acme.owner, acme.editor, acme.reviewer, acme.viewer)
    }
    assert str(globex.id).encode() not in content
    assert all(globex.slug.encode() not in archive.read(name) for name in archive.namelist())
    assert (found.state, found.done, found.total) == ("done", found.total, sum(manifest["rows"].values()))
    with as_system(acme.id):
        acts = list(
            Entry.objects.filter(action__startswith="export.").order_by("time").values_list("action", flat=True)
        )
    assert acts == ["export.asked", "export.made", "export.downloaded"]


@pytest.mark.parametrize("who", ["editor", "reviewer", "viewer"])
def test_only_an_owner_gets_near_it(browse, owner_page, acme, globex, who):
    found = made(owner_page, acme)
    person = browse(getattr(acme, who))
    assert person.get(acme.url("settings/data/")).status_code == 403
    assert person.post(acme.url("settings/data/")).status_code == 403
    assert person.get(acme.url(f"settings/data/exports/{found.pk}/")).status_code == 403
    rival = browse(globex.owner)
    assert rival.get(acme.url(f"settings/data/exports/{found.pk}/")).status_code == 404
    assert rival.get(globex.url(f"settings/data/exports/{found.pk}/")).status_code == 404


# What is no data of theirs: what they bought, what is counted of it, and which switches an operator turned.
NOT_LISTED = {"billing_subscription", "billing_limit", "billing_counter", "flags_flagoverride"}
# Rows of the platform's own tenant alone.
NOT_LISTED |= {"audit_instanceleaf", "audit_incarnation"}


def test_every_table_of_a_tenant_is_in_one_of_the_kinds_or_excused():
    named = {table for kind in slots.stored for table in kind.tables}
    assert named | NOT_LISTED == set(catalogue.tenant_tables())
    assert not named & NOT_LISTED


def test_the_page_counts_mails_and_what_is_kept_of_people(api, owner_page, acme):
    page = " ".join(owner_page.get(acme.url("settings/data/")).content.decode().split())
    assert '<td>Mails, with address and text</td><td class="num">0</td>' in page
    assert (
        api.as_(acme.owner).post("/api/v1/invitations", {"email": "x@y.example", "role": "member"}).status_code == 201
    )
    page = " ".join(owner_page.get(acme.url("settings/data/")).content.decode().split())
    assert '<td>Mails, with address and text</td><td class="num">1</td>' in page
    assert all(f"<td>{kind.title}</td>" in page for kind in slots.stored if "'" not in str(kind.title))


def test_an_old_sign_in_is_asked_again_before_data_leaves(owner_page, acme):
    with time_machine.travel(clock.now() + timedelta(minutes=10)):
        answer = owner_page.post(acme.url("settings/data/"))
    assert answer.status_code == 302
    assert "reauthenticate" in answer["Location"]
    with as_system(acme.id):
        assert not Export.objects.exists()


def test_an_old_sign_in_is_asked_again_before_the_file_is_given_out(owner_page, acme):
    place = acme.url(f"settings/data/exports/{made(owner_page, acme).pk}/")
    with time_machine.travel(clock.now() + timedelta(minutes=10)):
        answer = owner_page.get(place)
    assert (answer.status_code, answer["Location"].split("?")[0]) == (302, "/account/reauthenticate/")
    with as_system(acme.id):
        assert not Entry.objects.filter(action="export.downloaded").exists()
    assert owner_page.get(place)["Content-Type"] == "application/octet-stream"


def test_one_export_at_a_time(owner_page, acme):
    asked(owner_page, acme)
    again = owner_page.post(acme.url("settings/data/"))
    assert again.status_code == 409
    assert "An export is being made" in again.content.decode()


def test_a_damaged_file_is_not_given_out(owner_page, acme):
    found = made(owner_page, acme)
    place = exports.path_of(found)
    assert place.stat().st_mode & 0o077 == 0
    assert place.parent.stat().st_mode & 0o077 == 0
    content = bytearray(place.read_bytes())
    content[10] ^= 1
    place.write_bytes(bytes(content))
    assert owner_page.get(acme.url(f"settings/data/exports/{found.pk}/")).status_code == 422


def test_a_file_goes_when_its_time_is_over(owner_page, acme):
    found = made(owner_page, acme)
    with as_system(acme.id):
        exports.drop_export(found.pk)
        exports.drop_export(found.pk)
    assert not exports.path_of(found).exists()
    assert owner_page.get(acme.url(f"settings/data/exports/{found.pk}/")).status_code == 404
    assert "deleted" in owner_page.get(acme.url("settings/data/")).content.decode()


def test_a_run_that_was_cut_short_starts_anew_and_a_failure_is_told(owner_page, acme, monkeypatch):
    found = asked(owner_page, acme)
    with as_system(acme.id):
        Export.objects.filter(pk=found.pk).update(state="running", done=3, total=9)
        text = owner_page.get(acme.url("settings/data/")).content.decode()
        assert "3 of 9 rows" in text
        exports.make_export(found.pk)
        done = Export.objects.get(pk=found.pk)
        assert (done.state, done.done) == ("done", done.total)
    second = asked(owner_page, acme)
    monkeypatch.setattr(exports, "_write_table", lambda *args: 1 / 0)
    with as_system(acme.id):
        exports.make_export(second.pk)
        assert Export.objects.get(pk=second.pk).state == "failed"
    assert not list(exports.path_of(second).parent.glob(f"*{second.pk}*"))


def test_after_a_trial_data_can_still_be_taken_out_and_deleted(api, owner_page, acme):
    made_form = api.as_(acme.owner).post("/api/v1/forms", body(step("a", acme.reviewer))).json()
    with as_system(acme.id):
        billing.change_plan("business", trial_ends_at=clock.now())
    asked(owner_page, acme)
    url = acme.url("forms/request/delete/")
    assert owner_page.post(url, {"typed": "something"}).status_code == 422
    assert owner_page.post(url, {"typed": "request"}).status_code == 302
    assert api.as_(acme.owner).get(f"/api/v1/forms/{made_form['id']}").status_code == 404


def test_a_published_form_stays_and_only_its_owner_deletes_an_unpublished_one(api, browse, acme):
    form = published(api, acme.owner, step("a", acme.reviewer))
    assert api.as_(acme.owner).delete(f"/api/v1/forms/{form}").status_code == 400
    other = api.as_(acme.owner).post("/api/v1/forms", body(step("a", acme.reviewer), slug="other")).json()
    assert api.as_(acme.editor).delete(f"/api/v1/forms/{other['id']}").status_code == 404
    assert browse(acme.editor).post(acme.url("forms/other/delete/"), {"typed": "other"}).status_code == 404
    assert api.as_(acme.owner).delete(f"/api/v1/forms/{other['id']}").status_code == 204
    with as_system(acme.id):
        assert not Form.objects.filter(slug="other").exists()
        assert Entry.objects.filter(action="form.deleted").count() == 1


def test_a_draft_goes_and_what_was_sent_stays(api, browse, acme):
    form = published(api, acme.owner, step("a", acme.reviewer))
    door = api.as_(acme.editor)
    draft = door.post(f"/api/v1/forms/{form}/submissions", ANSWERS | {"draft": True}).json()["id"]
    second = door.post(f"/api/v1/forms/{form}/submissions", ANSWERS | {"draft": True}).json()["id"]
    sent = door.post(f"/api/v1/forms/{form}/submissions", ANSWERS).json()["id"]
    assert api.as_(acme.owner).delete(f"/api/v1/submissions/{draft}").status_code == 404
    assert door.delete(f"/api/v1/submissions/{draft}").status_code == 204
    assert door.delete(f"/api/v1/submissions/{sent}").status_code == 409
    assert browse(acme.owner).post(acme.url(f"submissions/{second}/discard/")).status_code == 404
    assert browse(acme.editor).post(acme.url(f"submissions/{second}/discard/")).status_code == 302
    with as_system(acme.id):
        assert [str(pk) for pk in Submission.objects.values_list("pk", flat=True)] == [sent]
