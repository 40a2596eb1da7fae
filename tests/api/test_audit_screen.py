"""The audit log's screen: filters that the API shares, rows that say everything, pages that follow the order."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from django.conf import settings
from django.db import connection, transaction

from apps.audit import private
from apps.audit.actions import Target, record
from apps.audit.catalogue import kinds
from apps.audit.filters import EntryFilter
from apps.audit.models import Entry, Word
from apps.audit.sealer import seal
from apps.audit.searched import unfindable
from apps.audit.words import asked_words, words_of
from apps.tenants.context import as_system, with_changes
from apps.tenants.ids import new_id
from tests import database
from tests.cast import acting_as

UTC = ZoneInfo("UTC")
PAGE = "settings/audit-log/"


@pytest.fixture
def thing(acme):
    """Something with entries of its own: two done, one refused."""
    made = Target("submission", new_id(), "A lathe, PR-2026-00012")
    with acting_as(acme.owner), transaction.atomic():
        record("submission.sent", made, facts={"revision": 1, "sha256": "00"})
        record("member.changed", made, facts={"role": "viewer", "before": "member"})
        record("export.made", made, facts={"bytes": 0, "sha256": ""}, outcome="refused")
    seal(acme.id)
    return made


def listed(api, company, **query):
    answer = api.as_(company.owner).get("/api/v1/audit/entries", query)
    assert answer.status_code == 200, answer.content
    return answer.json()["results"]


def test_each_filter_finds_the_same_by_the_api_and_on_the_page(api, browse, acme, thing):
    one = listed(api, acme, target=thing.id)[0]
    asked = {
        "actor": str(acme.owner.pk), "actor_type": "member", "action": "member.changed", "type": "submission", "target": str(thing.id),
        "outcome": "refused", "request": one["request_id"] or "none", "text": "lathe",
    }  # fmt: skip
    columns = {"actor": "actor_id", "actor_type": "actor_type", "action": "action", "type": "target_type", "target": "target_id",
               "outcome": "outcome", "request": "request_id"}  # fmt: skip
    for name, value in asked.items():
        rows = listed(api, acme, **{name: value})
        assert all(row[columns[name]] == value for row in rows if name in columns), name
        page = browse(acme.owner).get(acme.url(PAGE), {name: value}).content.decode()
        assert all(f"{row['id']}/proof/" in page for row in rows), name
    assert len(listed(api, acme, target=thing.id, outcome="refused")) == 1
    assert len(listed(api, acme, target=thing.id, until="2020-01-01")) == 0
    assert len(listed(api, acme, target=thing.id, since="2020-01-01")) == 3


def test_what_support_did_and_what_was_done_in_somebodys_place_can_be_asked_for(api, browse, acme):
    written = Target("submission", new_id(), '#support #behalf "credential":"support" "on_behalf_of":{')
    with acting_as(acme.owner), transaction.atomic():
        with with_changes(credential="support", impersonator=new_id()):
            visited = record("member.changed", acme.viewer, facts={"role": "viewer"})
        stood_in = record("member.changed", acme.viewer, facts={"role": "member"}, on_behalf_of=acme.editor.pk)
        plain = record("submission.sent", written, facts={"revision": 1, "sha256": "00"})
    by_system = listed(api, acme, actor_type="system")
    assert [row["id"] for row in listed(api, acme, through="support")] == [str(visited.pk)]
    assert [row["id"] for row in listed(api, acme, through="behalf")] == [str(stood_in.pk)]
    assert [row["id"] for row in listed(api, acme, text="#support")] == [str(plain.pk)], "as any other word"
    assert listed(api, acme, through="support", actor=acme.editor.pk) == []
    assert listed(api, acme, through="support", actor_type="system") == []
    assert by_system
    assert {row["actor_type"] for row in by_system} == {"system"}
    page = browse(acme.owner).get(acme.url(PAGE), {"through": "support"}).content.decode()
    assert f"{visited.pk}/proof/" in page
    assert f"{stood_in.pk}/proof/" not in page
    assert '<option value="support" selected>' in page
    with database.superuser() as admin:
        admin.execute("DELETE FROM audit_word WHERE tenant_id = %s AND word = '#support'", [acme.id])
    with as_system(acme.id):
        assert list(unfindable()) == [visited.pk], "what hides it from this question is told"


@pytest.mark.parametrize("query", [{"through": "magic"}, {"actor_type": "ghost"}])
def test_a_kind_that_there_is_not_is_refused_and_not_taken_for_all(api, browse, acme, query):
    assert api.as_(acme.owner).get("/api/v1/audit/entries", query).status_code == 400
    assert browse(acme.owner).get(acme.url(PAGE), query).status_code == 422


def test_the_page_names_the_key_that_a_bundle_is_verified_by_and_hands_out_the_verifier(api, browse, acme):
    page = browse(acme.owner).get(acme.url(PAGE)).content.decode()
    (fingerprint,) = api.as_(acme.owner).get("/api/v1/audit/checkpoint").json()["fingerprints"]
    assert fingerprint in page
    assert f"localhost/audit/{acme.id}<" in page
    assert acme.url(f"{PAGE}verifier/") in page
    script = browse(acme.owner).get(acme.url(f"{PAGE}verifier/"))
    assert b"".join(script.streaming_content) == (settings.BASE_DIR / "scripts/orkestra_verify.py").read_bytes()
    assert browse(acme.editor).get(acme.url(f"{PAGE}verifier/")).status_code == 403


def test_verifying_now_says_what_was_found(browse, acme, thing):
    page = browse(acme.owner)
    assert "sealed entries are whole" in page.post(acme.url(PAGE), follow=True).content.decode()
    with database.superuser() as attacker:
        sql = "UPDATE audit_entry SET body = convert_to(replace(convert_from(body, 'UTF8'), 'viewer', 'owner'), 'UTF8')"
        attacker.execute(f"{sql} WHERE tenant_id = %s AND target_id = %s", [acme.id, thing.id])
        attacker.execute("UPDATE accounts_member SET role = 'owner' WHERE id = %s", [acme.editor.pk])
    text = page.post(acme.url(PAGE), follow=True).content.decode()
    assert "The log is broken at entry #" in text
    assert "sealed entries are whole" not in text
    assert "do not agree with the entries" in text


def test_a_member_is_named_as_they_are_called_today_and_never_in_what_is_hashed(browse, acme):
    with acting_as(acme.owner), transaction.atomic():
        made = record("member.changed", acme.editor, facts={"role": "viewer", "before": "member"})
        record("member.deactivated", acme.editor)
    page = browse(acme.owner).get(acme.url(PAGE), {"type": "member"}).content.decode()
    assert "changed the role of Editor from member to viewer" in page
    assert " · Editor" in page
    assert made.target_label == ""
    assert b"Editor" not in bytes(made.body)


@pytest.mark.parametrize("text", ["LATHE", "pr-2026-00012", "00012", "lathe a", "PR-2026-00012,"])
def test_a_search_finds_whole_words_however_they_are_written(api, acme, thing, text):
    assert {row["target_id"] for row in listed(api, acme, text=text)} == {str(thing.id)}


@pytest.mark.parametrize("text", ["lath", "lathe missing", "%", "00013"])
def test_a_search_finds_nothing_else(api, acme, thing, text):
    answer = api.as_(acme.owner).get("/api/v1/audit/entries", {"text": text})
    assert answer.status_code == 400 or answer.json()["results"] == []


def test_words_are_folded_and_few():
    assert words_of("Straße PR-2026-00012 (x)") == ("strasse", "pr-2026-00012", "x", "00012")
    assert asked_words("  PR-2026-00012, ") == ["pr-2026-00012"]
    assert len(words_of("w " + " ".join(f"word{n}" for n in range(99)))) == 12


@pytest.mark.parametrize("query", [{}, {"text": "lathe"}, {"actor": "owner"}])
def test_the_cursor_goes_there_and_back(api, acme, thing, query):
    query = {name: str(acme.owner.pk) if value == "owner" else value for name, value in query.items()}
    client = api.as_(acme.owner)
    answer = client.get("/api/v1/audit/entries", {**query, "page_size": 2}).json()
    seen, back = [row["id"] for row in answer["results"]], answer
    while answer["next"]:
        assert "offset" not in answer["next"]
        answer = client.get(answer["next"]).json()
        seen += [row["id"] for row in answer["results"]]
    with acting_as(acme.owner):
        asked = EntryFilter(query, zone=UTC)
        assert asked.is_valid()
        rows = asked.apply(Entry.objects.exclude(action="audit.viewed"))
        assert {str(pk) for pk in rows.values_list("pk", flat=True)} <= set(seen)
    assert len(seen) == len(set(seen))
    again = set()
    while answer["previous"]:
        answer = client.get(answer["previous"]).json()
        again |= {row["id"] for row in answer["results"]}
    assert {row["id"] for row in back["results"]} <= again


def test_what_cannot_be_read_as_a_filter_is_said_with_the_page(browse, api, acme):
    answer = browse(acme.owner).get(acme.url(PAGE), {"actor": "nobody"})
    assert answer.status_code == 422
    assert "<title>Error:" in answer.content.decode()
    assert api.as_(acme.owner).get("/api/v1/audit/entries", {"since": "yesterday"}).status_code == 400


def test_a_row_says_who_what_how_and_from_where(browse, acme, thing):
    browser = browse(acme.owner)
    browser.get(acme.url(PAGE), {"text": "lathe"}, headers={"user-agent": "Lynx/2.9"})
    text = browser.get(acme.url(PAGE), {"text": "lathe"}).content.decode()
    assert f"{acme.owner.name} sent A lathe, PR-2026-00012" in text
    assert "changed the role of A lathe, PR-2026-00012 from member to viewer" in text
    assert "<del>member</del> → <ins>viewer</ins>" in text
    looked = browser.get(acme.url(PAGE), {"action": "audit.viewed"}).content.decode()
    assert all(words in looked for words in ("looked at the audit log", "Lynx/2.9", "127.0.0.1"))
    with acting_as(acme.owner), transaction.atomic():
        private.erase(acme.owner.user_id)
    looked = browser.get(acme.url(PAGE), {"action": "audit.viewed"}).content.decode()
    assert "Lynx/2.9" not in looked
    assert "nothing attests an erasure" in looked
    with acting_as(acme.owner), transaction.atomic():
        record("privacy.erased", acme.owner, facts={"values": 2, "person": str(acme.owner.user_id)})
    looked = browser.get(acme.url(PAGE), {"action": "audit.viewed"}).content.decode()
    assert "nothing attests an erasure" not in looked
    assert "erased" in looked


def test_no_page_counts_or_sorts_the_whole_log(acme, thing):
    """Every single filter reads a range of one index that is in the order of the page."""
    asked = [{}, {"actor": str(acme.owner.pk)}, {"action": "submission.sent"}, {"type": "submission"},
             {"target": str(thing.id)}, {"outcome": "refused"}, {"request": "r-12345678"}, {"text": "lathe"},
             {"actor_type": "system"}, {"through": "support"}, {"through": "behalf"}, {"since": "2020-01-01"}, {"until": "2030-01-01"}]  # fmt: skip
    with acting_as(acme.owner), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off; SET LOCAL enable_bitmapscan = off")
        for query in asked:
            seen: list[str] = []

            def explain(execute, sql, params, many, context, seen=seen):
                if "LIMIT 51" in sql and "EXPLAIN" not in sql:
                    cursor.execute(f"EXPLAIN {sql[sql.index('SELECT') :]}", params)
                    seen.append("\n".join(row[0] for row in cursor.fetchall()))
                return execute(sql, params, many, context)

            with connection.execute_wrapper(explain):
                EntryFilter(query, zone=UTC).page({}, 50)
            (plan,) = seen
            assert "Index" in plan, (query, plan)
            assert not [bad for bad in ("Sort", "Seq Scan") if bad in plan], (query, plan)


def test_what_an_entry_is_about_is_known_from_code(acme, thing):
    with as_system(acme.id):
        seen = set(Entry.objects.order_by().values_list("target_type", flat=True)) - {""}
    assert seen <= set(kinds())


def test_words_of_one_tenant_are_not_anothers(acme, globex, thing):
    with acting_as(globex.owner):
        assert not Word.objects.filter(word="lathe").exists()
