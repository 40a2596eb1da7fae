"""Verifications that somebody asks for: a short log at once, a long one by a job, and what the pages say meanwhile."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.core.cache import cache
from django.db import transaction

from apps.audit import asked, verify
from apps.audit.actions import record
from apps.audit.models import Verified
from apps.audit.probes import chain
from apps.audit.sealer import seal
from apps.audit.storage import TILE
from apps.tenants import clock
from tests import database
from tests.cast import acting_as

EVERYWHERE = "/api/v1/platform/audit/verify"
PAGE = "/admin/audit/entry/verify/"


@pytest.fixture
def long(monkeypatch):
    """Every log that has more than one entry is long."""
    monkeypatch.setattr(verify, "LARGEST_INLINE", 1)
    monkeypatch.setattr(asked, "LARGEST_INLINE", 1)


def kept(company):
    with acting_as(company.owner):
        return Verified.objects.first()


def break_first(company):
    seal(company.id)
    with database.superuser() as attacker:
        attacker.execute("UPDATE audit_seal SET chain = %s WHERE tenant_id = %s AND seq = 0", [b"x" * 32, company.id])


def test_a_short_log_is_walked_while_its_reader_waits(api, acme):
    door = api.as_(acme.owner)
    assert door.get("/api/v1/audit/verify").status_code == 404
    said = door.post("/api/v1/audit/verify")
    assert (said.status_code, said.json()["whole"]) == (200, True)
    last = door.get("/api/v1/audit/verify").json()
    assert (last["whole"], last["until"], last["asked_at"]) == (True, said.json()["sealed"], None)
    assert database.run_for(acme.id, "audit.verify_log") == 0


def test_a_long_log_is_walked_once_by_a_job_for_all_who_ask(api, browse, acme, long):
    door = api.as_(acme.owner)
    said = [door.post("/api/v1/audit/verify") for _ in range(2)]
    assert {one.status_code for one in said} == {202}
    assert said[0].json()["whole"] is None
    assert said[0].json()["last"]["full_at"] is None
    page = browse(acme.owner).post(acme.url("settings/audit-log/"), follow=True).content.decode()
    assert "The log is long, so a job walks it." in page
    assert "a job is walking it from the first entry on" in page
    assert database.run_for(acme.id, "audit.verify_log") == 1
    last = door.get("/api/v1/audit/verify").json()
    assert (last["whole"], last["asked_at"], last["until"]) == (True, None, last["sealed"])
    assert last["full_at"]
    assert "a job is walking it" not in browse(acme.owner).get(acme.url("settings/audit-log/")).content.decode()


def test_a_job_that_never_came_is_asked_for_again_after_an_hour(api, acme, long):
    door = api.as_(acme.owner)
    door.post("/api/v1/audit/verify")
    assert database.run_for(acme.id, "nothing") == 0
    with database.superuser() as connection:
        connection.execute("UPDATE procrastinate_jobs SET status = 'failed' WHERE task_name = 'audit.verify_log'")
    with time_machine.travel(clock.now() + timedelta(hours=1, minutes=1), tick=False), acting_as(acme.owner):
        assert asked.verify_now() is None
    assert database.run_for(acme.id, "audit.verify_log") == 1


def test_what_the_job_finds_broken_is_told_by_page_and_api(api, browse, acme, long):
    door = api.as_(acme.owner)
    break_first(acme)
    door.post("/api/v1/audit/verify")
    database.run_for(acme.id, "audit.verify_log")
    last = door.get("/api/v1/audit/verify").json()
    assert (last["whole"], last["first_bad"], last["kind"]) == (False, 0, "chain_changed")
    assert "The chain breaks at entry #0." in browse(acme.owner).get(acme.url("settings/audit-log/")).content.decode()


def test_reading_the_last_verification_needs_the_right_to_read_the_log(api, acme):
    assert api.as_(acme.viewer).get("/api/v1/audit/verify").status_code == 403


def test_the_security_page_says_of_a_long_log_when_it_was_walked_and_walks_what_is_new(acme, monkeypatch):
    monkeypatch.setattr(verify, "LARGEST_INLINE", TILE)
    with acting_as(acme.owner), transaction.atomic():
        for _ in range(TILE + 9):
            record("team.created")
    seal(acme.id)
    with acting_as(acme.owner):
        assert chain().holds is None
        asked.seal_and_verify()
        cache.clear()
        found = chain()
        assert found.holds is True
        assert "whole from the first to the last" in str(found.detail)
        assert "what has come since" in str(found.detail)
        with time_machine.travel(clock.now() + timedelta(hours=2, minutes=1), tick=False):
            assert chain().holds is None


def test_the_security_page_calls_a_long_log_broken_that_was_found_so(acme, long):
    break_first(acme)
    with acting_as(acme.owner):
        asked.seal_and_verify()
        cache.clear()
        assert chain().holds is False


@pytest.mark.every_tenant
def test_a_super_admin_verifies_all_logs_by_page_and_sees_which_is_broken(browser, acme, globex):
    seal(acme.id)
    with database.superuser() as attacker:
        attacker.execute("DELETE FROM audit_seal WHERE tenant_id = %s AND seq = 1", [acme.id])
    assert browser.get(PAGE).status_code == 200
    text = browser.post(PAGE, follow=True).content.decode()
    rows = {row.split("</td>")[0].split(">")[-1]: row for row in text.split("<tr>") if "</td>" in row}
    assert "broken at #" in rows[acme.slug]
    assert "whole" in rows[globex.slug]


@pytest.mark.every_tenant
def test_a_super_admin_does_not_wait_for_long_logs_nor_for_too_many(api, admin, acme, monkeypatch):
    door = api.as_(admin)
    walked = door.post(EVERYWHERE).json()
    assert (walked["left"], walked["whole"] is None) == (0, False)
    assert {one["slug"] for one in walked["tenants"]} >= {acme.slug}
    monkeypatch.setattr(asked, "LONGEST_SECONDS", -1.0)
    said = door.post(EVERYWHERE)
    assert said.status_code == 202
    assert (said.json()["whole"], said.json()["tenants"]) == (None, [])
    assert said.json()["left"] == len(walked["tenants"])
    before = kept(acme).full_at
    assert database.run_apart("audit.verify_rest") == 1
    assert kept(acme).full_at > before


@pytest.mark.every_tenant
def test_a_super_admin_reads_by_api_what_was_last_found_of_every_log(api, admin, acme, globex):
    break_first(acme)
    for company in (acme, globex):
        with acting_as(company.owner):
            asked.seal_and_verify()
    door = api.as_(admin)
    broken = [one["slug"] for one in door.get(f"{EVERYWHERE}?whole=false&page_size=100").json()["results"]]
    whole = [one["slug"] for one in door.get(f"{EVERYWHERE}?whole=true&page_size=100").json()["results"]]
    assert acme.slug in broken
    assert acme.slug not in whole
    assert globex.slug in whole
    assert door.get(f"{EVERYWHERE}?whole=perhaps").status_code == 400
    assert api.as_(acme.owner).get(EVERYWHERE).status_code == 404
