"""The catalogue by page and API, and reading the log as an act of its own."""

from __future__ import annotations

from hashlib import sha256

import pytest
from django.db import transaction

from apps.accounts.rules import Role
from apps.audit import canonical
from apps.audit.actions import Target, record
from apps.audit.catalogue import listed
from apps.audit.models import Entry, Receipt
from apps.tenants.ids import new_id
from tests.api.test_second_factor import set_up
from tests.cast import acting_as
from tests.forms import published, step


def looks(company, member=None):
    with acting_as(company.owner):
        rows = Entry.objects.filter(action="audit.viewed", actor_id=(member or company.owner).pk).order_by("time")
        return [entry.facts for entry in rows]


def test_the_api_lists_every_act_with_its_meaning_and_facts(api, acme):
    answer = api.as_(acme.owner).get("/api/v1/audit/actions")
    rows = {row["name"]: row for row in answer.json()["results"]}
    assert set(rows) == {name for name, _act in listed()}
    assert rows["submission.decided"]["fields"] == ["verdict", "step", "revision", "sha256", "on_behalf_of"]
    assert all(row["title"] and row["meaning"] and row["since"] for row in rows.values())


def test_the_page_shows_what_is_recorded(browse, acme):
    text = browse(acme.owner).get(acme.url("settings/audit-log/acts/")).content.decode()
    assert all(f"<code>{name}</code>" in text for name, _act in listed())


@pytest.mark.parametrize("who", ["editor", "viewer"])
def test_the_catalogue_is_for_those_who_may_read_the_log(api, browse, acme, who):
    member = getattr(acme, who)
    assert api.as_(member).get("/api/v1/audit/actions").status_code == 403
    assert browse(member).get(acme.url("settings/audit-log/acts/")).status_code == 403


def test_a_look_at_the_page_is_one_entry_however_often_it_is_reloaded(browse, acme):
    browser = browse(acme.owner)
    for _again in range(3):
        assert browser.get(acme.url("settings/audit-log/"), {"action": "member.added"}).status_code == 200
    (found,) = looks(acme)
    assert (found["filters"], found["door"]) == ({"action": "member.added"}, "page")


def test_another_filter_another_door_and_another_person_are_looks_of_their_own(api, browse, acme):
    browse(acme.owner).get(acme.url("settings/audit-log/"))
    browse(acme.owner).get(acme.url("settings/audit-log/"), {"type": "member"})
    api.as_(acme.owner).get("/api/v1/audit/entries")
    api.as_(acme.owner).get("/api/v1/audit/entries", {"page_size": 1})
    assert [found["door"] for found in looks(acme)] == ["page", "page", "api"]


def test_what_was_typed_into_the_search_is_not_kept(api, acme):
    api.as_(acme.owner).get("/api/v1/audit/entries", {"text": "Katarzyna"})
    with acting_as(acme.owner):
        (entry,) = Entry.objects.filter(action="audit.viewed")
    assert entry.facts["filters"] == {"text": True}
    assert b"Katarzyna" not in bytes(entry.body)


def test_what_was_typed_can_be_guessed_neither_from_the_log_nor_by_typing_it_again(api, acme):
    for person in (acme.owner, acme.member("Second", Role.OWNER)):
        for word in ("Katarzyna", "Zoe", "Katarzyna"):
            assert api.as_(person).get("/api/v1/audit/entries", {"text": word}).status_code == 200
    asked = canonical.encode({"door": "api", "filters": {"text": "Katarzyna"}})
    with acting_as(acme.owner):
        told = [entry.facts["look"] for entry in Entry.objects.filter(action="audit.viewed")]
    assert sha256(asked).hexdigest()[:16] not in told
    assert len(set(told)) == 4


def test_one_entry_by_its_id_is_a_look_too(api, acme):
    with acting_as(acme.owner):
        first = Entry.objects.first()
    assert api.as_(acme.owner).get(f"/api/v1/audit/entries/{first.pk}").status_code == 200
    assert looks(acme)[0]["filters"] == {"entry": str(first.pk)}


def test_a_proof_brings_its_entry_and_is_a_look_by_api_and_by_page(api, browse, acme):
    with acting_as(acme.owner):
        first, second = (str(entry.pk) for entry in Entry.objects.order_by("time")[:2])
    assert api.as_(acme.owner).get("/api/v1/audit/proof", {"entry": first}).status_code == 200
    assert browse(acme.owner).get(acme.url(f"settings/audit-log/{second}/proof/")).status_code == 200
    assert api.as_(acme.owner).get("/api/v1/audit/proof", {"entry": str(acme.id)}).status_code == 404
    assert [look["filters"] for look in looks(acme)] == [{"entry": first}, {"entry": second}]


def test_what_was_done_to_a_form_is_a_look_by_the_api_as_by_the_page(api, acme):
    form = published(api, acme.owner, step("review", acme.reviewer))
    assert api.as_(acme.owner).get(f"/api/v1/forms/{form}/audit").status_code == 200
    assert api.as_(acme.editor).get(f"/api/v1/forms/{form}/audit").status_code == 403
    assert [look["filters"] for look in looks(acme)] == [{"target": form}]
    assert looks(acme, acme.editor) == []


@pytest.fixture
def receipts(acme):
    """The receipts of an act of the owner's, and of one of somebody else's."""
    found = []
    for member in (acme.owner, acme.editor):
        with acting_as(member), transaction.atomic():
            entry = record("team.created", Target("team", new_id()), receipt=True)
            found.append(Receipt.objects.select_related("entry").get(entry=entry))
    return found


def test_a_list_of_what_others_did_by_their_receipts_is_a_look(api, acme, receipts):
    answer = api.as_(acme.owner).get("/api/v1/audit/receipts")
    assert len(answer.json()["results"]) == 2
    target = str(receipts[1].entry.target_id)
    assert api.as_(acme.owner).get("/api/v1/audit/receipts", {"target": target}).status_code == 200
    assert [(look["door"], look["filters"]) for look in looks(acme)] == [
        ("receipts", {}),
        ("receipts", {"target": target}),
    ]


def test_one_receipt_of_somebody_else_is_a_look_by_api_and_by_page(api, browse, acme, receipts):
    theirs = receipts[1]
    assert api.as_(acme.owner).get(f"/api/v1/audit/receipts/{theirs.pk}").status_code == 200
    assert looks(acme)[0]["filters"] == {"entry": str(theirs.entry_id)}
    second = acme.member("Second", Role.OWNER)
    assert browse(second).get(acme.url(f"receipts/{theirs.pk}/")).status_code == 200
    assert [look["filters"] for look in looks(acme, second)] == [{"entry": str(theirs.entry_id)}]


def test_receipts_of_ones_own_acts_are_no_look(api, browse, acme, receipts):
    mine, theirs = receipts
    assert api.as_(acme.owner).get("/api/v1/audit/receipts", {"target": str(mine.entry.target_id)}).status_code == 200
    assert api.as_(acme.owner).get(f"/api/v1/audit/receipts/{mine.pk}").status_code == 200
    assert browse(acme.owner).get(acme.url(f"receipts/{mine.pk}/")).status_code == 200
    assert len(api.as_(acme.editor).get("/api/v1/audit/receipts").json()["results"]) == 1
    assert api.as_(acme.editor).get(f"/api/v1/audit/receipts/{theirs.pk}").status_code == 200
    assert looks(acme) == looks(acme, acme.editor) == []


def test_to_a_visitor_from_support_no_receipt_is_their_own(acme, admin, browser, receipts):
    browser.post("/admin/accounts/supportvisit/add/", {"tenant": str(acme.id), "reason": "Ticket 4711: it stops."})
    assert browser.get(acme.url(f"receipts/{receipts[0].pk}/")).status_code == 200
    (look,) = looks(acme)
    assert look["door"] == "receipts"


def test_no_other_words_of_an_address_than_those_of_filters_are_kept_as_a_look(api, acme):
    api.as_(acme.owner).get("/api/v1/audit/entries", {"name": "Katarzyna", "outcome": "done"})
    assert [look["filters"] for look in looks(acme)] == [{"outcome": "done"}]


def test_whoever_may_not_read_leaves_no_look(api, acme):
    assert api.as_(acme.editor).get("/api/v1/audit/entries").status_code == 403
    assert looks(acme, acme.editor) == []


def test_a_second_factor_is_recorded_in_the_log_of_its_persons_tenants(acme):
    set_up(acme.editor.user)
    with acting_as(acme.owner):
        rows = Entry.objects.filter(action__startswith="factor.", actor_id=acme.editor.pk).order_by("time")
        found = [(entry.action, entry.facts.get("kind")) for entry in rows]
    assert ("factor.added", "totp") in found


def test_the_api_tells_in_whose_place_somebody_acted(api, acme):
    with acting_as(acme.editor), transaction.atomic():
        stood_in = record("member.changed", acme.viewer, facts={"role": "viewer"}, on_behalf_of=acme.owner.pk)
        by_herself = record("member.changed", acme.viewer, facts={"role": "member"})
    rows = {row["id"]: row for row in api.as_(acme.owner).get("/api/v1/audit/entries").json()["results"]}
    assert rows[str(stood_in.pk)]["on_behalf_of"] == str(acme.owner.pk)
    assert rows[str(by_herself.pk)]["on_behalf_of"] is None
