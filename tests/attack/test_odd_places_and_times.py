"""A seal where nobody looks, and a time that no calendar of ours knows, put in by the database's superuser, are named."""

from __future__ import annotations

import psycopg
import pytest
from django.db import transaction

from apps.audit import background, log_exports, sealer
from apps.audit.actions import Target, record
from apps.audit.asked import seal_and_verify
from apps.audit.models import LogExport
from apps.audit.sealer import seal
from apps.audit.verify import keep, verify
from apps.audit.walk import Kind
from apps.tenants.context import as_system
from apps.tenants.ids import new_id
from tests import database
from tests.attack.standing import attack
from tests.attack.test_the_audit_log import verdict
from tests.cast import acting_as


@pytest.fixture
def no_first_place():
    """As a superuser would begin: the constraint on places goes. Afterwards it stands again, and what it forbids is gone."""
    with database.superuser() as admin:
        admin.execute("ALTER TABLE audit_seal DROP CONSTRAINT audit_seal_from_zero")
        yield
        admin.execute("DELETE FROM audit_seal WHERE seq < 0")
        admin.execute("ALTER TABLE audit_seal ADD CONSTRAINT audit_seal_from_zero CHECK (seq >= 0)")


HIDE = (
    "INSERT INTO audit_seal (tenant_id, id, seq, entry_id, leaf, chain)"
    " VALUES (%(tenant)s, %(fresh)s, -1, %(entry)s, sha256(''), sha256(''))"
)


@pytest.mark.parametrize("incremental", [False, True])
def test_an_entry_that_is_sealed_where_nobody_looks_is_found(acme, no_first_place, incremental):
    seal(acme.id)
    with acting_as(acme.owner):
        keep(verify())
        with transaction.atomic():
            entry = record("team.created")
    attack("DELETE FROM audit_waiting WHERE id = %(entry)s", HIDE, tenant=acme.id, fresh=new_id(), entry=entry.pk)
    sealer.seal_forgotten()
    found = verdict(acme, incremental=incremental)
    assert (found.kind, found.first_bad, str(entry.pk) in found.reason) == (Kind.PLACE_HIDDEN, -1, True)


def test_the_database_takes_no_seal_before_the_first_place(acme):
    with pytest.raises(psycopg.errors.CheckViolation):
        attack(HIDE, tenant=acme.id, fresh=new_id(), entry=new_id())


@pytest.mark.parametrize("place", [10**12, 2**63 - 1])
def test_a_seal_beyond_a_hole_is_found_and_nothing_fails(acme, place):
    seal(acme.id)
    size = verdict(acme).sealed
    attack(HIDE.replace("-1", str(place)), tenant=acme.id, fresh=new_id(), entry=new_id())
    with acting_as(acme.owner):
        found = seal_and_verify()
        assert (found.kind, found.first_bad) == (Kind.GAP, size)
        background.verify_what_is_new()
    attack("DELETE FROM audit_seal WHERE seq = %(place)s", place=place)


TIMES = {
    "before Christ": "(to_char(time, 'YYYY-MM-DD HH24:MI:SS.US') || '+00 BC')::timestamptz",
    "infinite": "'infinity'",
}


@pytest.mark.parametrize("when", TIMES)
def test_a_time_that_no_calendar_of_ours_knows_is_named_and_no_page_or_export_fails(
    acme, api, browse, when, tmp_path, settings
):
    settings.EXPORTS_ROOT = tmp_path
    with acting_as(acme.owner), transaction.atomic():
        entry = record("team.created", Target("team", new_id(), "Buyers"))
    seal(acme.id)
    change = f"UPDATE %s SET time = {TIMES[when]} WHERE %s = %%(entry)s"
    attack(change % ("audit_entry", "id"), change % ("audit_word", "entry_id"), entry=entry.pk)
    owner, page = api.as_(acme.owner), browse(acme.owner)
    assert owner.post("/api/v1/audit/verify").json()["kind"] == Kind.DISPLAY_CHANGED
    for query in ({}, {"text": "buyers"}):
        assert str(entry.pk) in owner.get("/api/v1/audit/entries", query | {"page_size": 100}).content.decode()
        assert page.get(acme.url("settings/audit-log/"), query).status_code == 200
    for kind in ("csv", "jsonl", "zip"):
        assert page.post(acme.url("settings/audit-log/exports/"), {"format": kind}).status_code == 302
        with as_system(acme.id):
            made = LogExport.objects.latest("created_at")
            log_exports.make(made.pk)
            made.refresh_from_db()
        assert made.state == LogExport.State.DONE
