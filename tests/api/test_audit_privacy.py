"""Addresses and agents beside the log: committed to, kept apart, and erased without breaking the chain."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import time
import zipfile
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection
from django.test import Client

from apps.accounts.actions.sessions import reset_asked
from apps.accounts.models import BrowserSession
from apps.audit import keys, log_exports, private
from apps.audit.models import Entry, LogExport, PrivateValue
from apps.audit.sealer import seal
from apps.audit.verify import verify
from apps.tenants.caller import Caller, called_by
from apps.tenants.context import NOBODY, as_system, tenant_context
from apps.tenants.ids import new_id
from apps.tenants.models import PLATFORM_TENANT_ID
from tests import database
from tests.api.test_another_address import link_from
from tests.api.test_signing_in import link_mailed_to
from tests.cast import PASSWORD, acting_as
from tests.clients import browser
from tests.unit.test_the_verifier import verifier

AGENT = "Inspector/9.1 (secret-laptop)"


def invite(browse, acme, agent=AGENT):
    """An act through a page, as a browser of this name does it; its entry."""
    answer = browse(acme.owner).post(
        acme.url("settings/general/"), {"name": "Acme 2", "timezone": "Europe/Paris"}, headers={"User-Agent": agent}
    )
    assert answer.status_code == 302, answer.content.decode()[:500]
    with acting_as(acme.owner):
        return Entry.objects.filter(action="tenant.changed").latest("time")


def test_an_entry_commits_to_address_and_agent_and_holds_neither(browse, acme):
    entry = invite(browse, acme)
    assert AGENT.encode() not in bytes(entry.body)
    assert b"127.0.0.1" not in bytes(entry.body)
    with acting_as(acme.owner):
        kept = {one.name: one for one in PrivateValue.objects.filter(entry=entry)}
    assert {name: one.value for name, one in kept.items()} == {"address": "127.0.0.1", "agent": AGENT}
    said = {one["name"]: one["commitment"] for one in entry.document["private"]}
    assert said == {name: private.commitment(bytes(one.salt), one.value) for name, one in kept.items()}
    assert len({bytes(one.salt) for one in kept.values()}) == 2


def test_a_job_has_no_address(acme):
    with acting_as(acme.owner):
        assert all("private" not in entry.document for entry in Entry.objects.filter(action="member.added"))


def test_the_app_can_neither_change_nor_delete_a_private_value(browse, acme):
    invite(browse, acme)
    for statement in ("DELETE FROM audit_privatevalue", "UPDATE audit_privatevalue SET value = ''"):
        with (
            acting_as(acme.owner),
            connection.cursor() as cursor,
            pytest.raises(DatabaseError, match="permission denied"),
        ):
            cursor.execute(statement)


def test_erasing_a_person_deletes_their_values_only_and_the_chain_verifies(browse, acme):
    entry = invite(browse, acme)
    answer = browse(acme.editor).get(acme.url(), headers={"User-Agent": "Other/1"})
    assert answer.status_code == 200
    member = f"settings/members/{acme.owner.pk}/"
    assert browse(acme.owner).post(acme.url(member), {"do": "erase"}).status_code == 302
    seal(acme.id)
    with acting_as(acme.owner):
        assert not PrivateValue.objects.filter(person=acme.owner.user_id).exists()
        assert verify().whole
        attested = Entry.objects.get(action="privacy.erased")
        assert attested.facts["values"] >= 2
        found = private.examine()
        assert (found.lost, found.broken) == (0, [])
        assert sum(found.erased.values()) >= 2
        assert Entry.objects.get(pk=entry.pk).document["private"] == entry.document["private"]
    with database.superuser() as admin:
        rows = admin.execute(
            "SELECT count(*) FROM audit_privatevalue WHERE tenant_id = %s AND value = %s", [acme.id, AGENT]
        ).fetchone()
    assert rows == (0,)


def test_one_tenants_erasure_leaves_what_another_keeps(browse, acme, globex):
    invite(browse, globex)
    with acting_as(acme.owner):
        assert private.erase(globex.owner.user_id) == 0
    with acting_as(globex.owner):
        assert PrivateValue.objects.filter(person=globex.owner.user_id).exists()


def test_the_command_erases_a_person_and_verifying_says_where_it_is_attested(browse, acme):
    invite(browse, acme)
    call_command("erase_person", acme.owner.user.email, tenant=acme.slug, stdout=StringIO())
    said = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("verify_audit", tenant=acme.slug, processes=1, stdout=said)
    assert ended.value.code == 0
    assert "erased, attested at #" in said.getvalue()
    assert "MISSING" not in said.getvalue()


def test_what_somebody_tried_without_getting_in_is_erased_with_its_person(browse, acme):
    email, place = acme.editor.email, "192.0.2.177"  # no other test comes from there
    for _number in range(7):
        Client(REMOTE_ADDR=place).post("/account/login/", {"login": email, "password": "wrong horse"})
    Client(REMOTE_ADDR=place).post("/account/password/reset/", {"email": email})
    link_mailed_to(acme.editor.user)
    assert addresses(acme.id, PLATFORM_TENANT_ID).count(place) >= 7
    with as_system(PLATFORM_TENANT_ID):
        said = Entry.objects.filter(action="session.refused").latest("time")
        assert hashlib.sha256(email.encode()).hexdigest().encode() not in bytes(said.body)
        lost = private.examine().lost
    call_command("erase_person", email, stdout=StringIO())
    assert place not in addresses(acme.id, PLATFORM_TENANT_ID)
    for log in (acme.id, PLATFORM_TENANT_ID):
        seal(log)
        with as_system(log):
            found = private.examine()
            assert (found.lost, found.broken) == (lost if log == PLATFORM_TENANT_ID else 0, [])
            assert found.erased


def test_what_was_tried_with_an_address_of_before_is_erased_too(acme):
    before, place = acme.editor.email, "192.0.2.178"  # no other test comes from there
    Client(REMOTE_ADDR=place).post("/account/login/", {"login": before, "password": "wrong horse"})
    for number in (1, 2):
        client = browser(acme.editor)
        client.post(link_from(client, f"number{number}@n{acme.slug}.example"))
    assert place in addresses(PLATFORM_TENANT_ID)
    call_command("erase_person", f"number2@n{acme.slug}.example", stdout=StringIO())
    assert place not in addresses(PLATFORM_TENANT_ID)


def test_what_was_tried_with_an_address_that_nobody_has_is_erased_too_and_attested(acme):
    email, other, place = f"{new_id().hex}@nobody.example", f"{new_id().hex}@nobody.example", "192.0.2.179"
    for tried in (email, other):
        client = Client(REMOTE_ADDR=place, HTTP_USER_AGENT=AGENT)
        client.post("/account/login/", {"login": tried, "password": "wrong horse"})
    assert addresses(PLATFORM_TENANT_ID).count(place) == 2
    with as_system(PLATFORM_TENANT_ID):
        lost = private.examine().lost
    said = StringIO()
    call_command("erase_person", email.upper(), stdout=said)
    assert "2 values erased" in said.getvalue()
    assert addresses(PLATFORM_TENANT_ID).count(place) == 1
    seal(PLATFORM_TENANT_ID)
    with as_system(PLATFORM_TENANT_ID):
        found = private.examine()
        assert (found.lost, found.broken) == (lost, [])
    with pytest.raises(CommandError, match="Nothing is kept"):
        call_command("erase_person", email, stdout=StringIO())
    with pytest.raises(CommandError, match="Nobody"):
        call_command("erase_person", other, tenant="acme", stdout=StringIO())


def addresses(*logs):
    """Every address that is kept beside these logs."""
    with database.superuser() as admin:
        sql = "SELECT value FROM audit_privatevalue WHERE name = 'address' AND tenant_id = ANY(%s)"
        return [row[0] for row in admin.execute(sql, [list(logs)]).fetchall()]


def test_whoever_is_erased_everywhere_is_signed_out(acme):
    client = Client()
    client.post("/account/login/", {"login": acme.editor.email, "password": PASSWORD})
    assert client.get(acme.url()).status_code == 200
    call_command("erase_person", acme.editor.email, stdout=StringIO())
    assert client.get(acme.url()).status_code == 302
    with tenant_context(NOBODY):
        assert not BrowserSession.objects.filter(user_id=acme.editor.user_id).exists()


def test_a_value_that_is_gone_or_changed_without_an_attestation_is_told(browse, acme):
    first = invite(browse, acme)
    with database.superuser() as admin:
        admin.execute("DELETE FROM audit_privatevalue WHERE entry_id = %s AND name = 'agent'", [first.pk])
        admin.execute("UPDATE audit_privatevalue SET value = '::1' WHERE entry_id = %s", [first.pk])
    with acting_as(acme.owner):
        found = private.examine()
    assert found.lost == 1
    assert found.broken == [first.pk]
    assert ended(acme) == 1
    with database.superuser() as admin:
        admin.execute("DELETE FROM audit_privatevalue WHERE entry_id = %s", [first.pk])
    assert ended(acme) == 3


def ended(company) -> int:
    """How the command that verifies ends."""
    with pytest.raises(SystemExit) as stop:
        call_command("verify_audit", tenant=company.slug, processes=1, stdout=StringIO())
    return int(stop.value.code)


def test_an_outsider_sees_what_is_kept_erased_and_missing(browse, acme, api, tmp_path):
    invite(browse, acme)
    with called_by(Caller("203.0.113.7", "Reset/1")):
        reset_asked(acme.owner.user)  # by nobody who is signed in
    door, key = api.as_(acme.owner), base64.b64encode(keys.public_keys()[0]).decode()

    def verdict(name: str = "", data: bytes | None = None, query: str = "?private=1") -> tuple[int, str]:
        sent = b"".join(door.get(f"/api/v1/audit/export{query}").streaming_content)
        place = tmp_path / "bundle.zip"
        with zipfile.ZipFile(io.BytesIO(sent)) as made, zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as file:
            for one in made.namelist():
                file.writestr(one, data if one == name and data is not None else made.read(one))
        said = StringIO()
        return verifier.main([str(place), "--key", key, "--processes", "1"], said), said.getvalue()

    code, said = verdict(query="")
    assert (code, "addresses and agents that entries commit to" in said) == (0, True)
    code, said = verdict()
    assert (code, "are what their entries commit to" in said) == (0, True), said
    assert verdict("private.jsonl", b"")[0] == 3
    assert "MISSING" in verdict("private.jsonl", b"")[1]
    with acting_as(acme.owner):
        one = PrivateValue.objects.filter(name="agent").order_by("entry__seals__seq").first()
    forged = {"entry": str(one.entry_id), "name": "agent", "salt": bytes(one.salt).hex(), "value": "Another/1"}
    assert verdict("private.jsonl", json.dumps(forged).encode() + b"\n")[0] == 1
    call_command("erase_person", acme.owner.user.email, tenant=acme.slug, stdout=StringIO())
    code, said = verdict()
    assert "are erased, attested at #" in said
    assert (code, "MISSING" in said) == (0, False), said


def test_owners_take_private_values_out_by_a_job_and_an_erasure_deletes_what_waits(browse, acme, tmp_path, settings):
    settings.EXPORTS_ROOT = tmp_path / "exports"
    invite(browse, acme)
    page, log = browse(acme.owner), acme.url("settings/audit-log/exports/")
    assert "Export with private values" in page.get(log).content.decode()

    def made(query: str = "") -> LogExport:
        assert page.post(f"{log}{query}", {"format": "zip"}).status_code == 302
        with as_system(acme.id):
            found = LogExport.objects.latest("created_at")
            log_exports.make(found.pk)
            found.refresh_from_db()
        assert (found.state, found.percent, found.done) == ("done", 100, found.total)
        return found

    for query, word, code in (("", "log", 0), ("?action=tenant.changed", "selection", 3)):
        found = made(query)
        place = tmp_path / "taken.zip"
        place.write_bytes(b"".join(page.get(f"{log}{found.pk}/").streaming_content))
        said, key = StringIO(), base64.b64encode(keys.public_keys()[0]).decode()
        assert verifier.main([str(place), "--key", key, "--processes", "1"], said) == code, said.getvalue()
        with zipfile.ZipFile(place) as bundle:
            assert AGENT in bundle.read("private.jsonl").decode()
            assert json.loads(bundle.read("manifest.json"))["kind"] == word
    with as_system(acme.id):
        told = {entry.action: entry.facts for entry in Entry.objects.filter(target_id=found.pk)}
    assert told["log_export.asked"] == {"filters": {"action": "tenant.changed"}, "format": "zip", "private": True}
    assert {"log_export.made", "log_export.downloaded"} <= set(told)
    session = page.session
    session["account_authentication_methods"] = [{"method": "password", "at": time.time() - 3600}]
    session.save()
    assert page.get(f"{log}{found.pk}/")["Location"].startswith("/account/reauthenticate/")
    call_command("erase_person", acme.owner.user.email, tenant=acme.slug, stdout=StringIO())
    assert not log_exports.path_of(found).exists()
    assert browse(acme.owner).get(f"{log}{found.pk}/").status_code == 404


def test_an_erasure_while_it_is_written_leaves_no_file(browse, acme, tmp_path, settings, monkeypatch):
    settings.EXPORTS_ROOT = tmp_path / "exports"
    assert browse(acme.owner).post(acme.url("settings/audit-log/exports/"), {"format": "zip"}).status_code == 302
    written = log_exports._write

    def late(*args):
        done = written(*args)
        call_command("erase_person", acme.owner.user.email, tenant=acme.slug, stdout=StringIO())
        return done

    monkeypatch.setattr(log_exports, "_write", late)
    with as_system(acme.id):
        found = LogExport.objects.get()
        log_exports.make(found.pk)
        found.refresh_from_db()
    assert found.state == "dropped"
    assert not log_exports.path_of(found).exists()


def test_only_who_may_change_members_erases(browse, acme):
    assert browse(acme.editor).post(acme.url(f"settings/members/{acme.owner.pk}/"), {"do": "erase"}).status_code == 403
