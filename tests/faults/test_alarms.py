"""Security events are kept, whatever becomes of the act in which they were raised, and they hold nobody up."""

from __future__ import annotations

import time
from uuid import uuid4

import psycopg
import pytest
from django.db import connection, connections, transaction

from apps.audit.sealer import seal
from apps.audit.verify import keep, verify
from apps.operations import alarms
from apps.operations.models import KINDS, Alarm
from apps.tenants.context import TenantContext, as_system, tenant_context
from apps.tenants.measures import SECURITY_EVENTS, SECURITY_EVENTS_DROPPED
from apps.tenants.security_events import Kind, security_event, security_event_now_and_then
from apps.tenants.slots import SecurityEvent
from tests.database import superuser

PATIENCE_SECONDS = 20


def kept(**wanted):
    """The kept events that fit, as a Super Admin reads them; waits for the first."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        with tenant_context(TenantContext(platform=True, credential="system")):
            if found := list(Alarm.objects.filter(**wanted)):
                return found
        time.sleep(0.02)
    raise AssertionError(f"No such event was kept: {wanted}")


def counted(kind):
    return SECURITY_EVENTS.labels(kind.value)._value.get()


def test_an_event_outlives_the_transaction_that_was_undone(acme):
    mark = str(uuid4())
    before = counted(Kind.TOKEN_REUSED)
    with pytest.raises(ZeroDivisionError), as_system(acme.id), transaction.atomic():
        security_event(Kind.TOKEN_REUSED, family=mark)
        raise ZeroDivisionError
    (row,) = kept(facts__family=mark)
    assert (row.kind, row.about_tenant, row.seen_at) == ("token_reused", acme.id, None)
    assert counted(Kind.TOKEN_REUSED) == before + 1


def test_an_event_is_kept_from_a_transaction_that_the_database_has_given_up(acme):
    mark = str(uuid4())
    with pytest.raises(Exception, match="division by zero"), as_system(acme.id), transaction.atomic():
        try:
            connection.cursor().execute("SELECT 1/0")
        finally:
            security_event(Kind.WEBHOOK_FORGED, channel=mark)
    assert kept(facts__channel=mark)


def test_a_member_who_asks_for_more_than_the_role_allows_is_an_event_once(api, acme):
    before = counted(Kind.ESCALATION_DENIED)
    for _ in range(3):
        assert api.as_(acme.viewer).get("/api/v1/audit/entries").status_code == 403
    (row,) = kept(kind="escalation_denied", about_user=acme.viewer.user_id)
    assert row.facts == {"permission": "audit.read"}
    assert row.about_tenant == acme.id
    assert row.request_id
    assert counted(Kind.ESCALATION_DENIED) == before + 1


@pytest.mark.parametrize("door", ["page", "api"])
def test_who_knocks_at_the_platforms_door_without_being_its_admin_is_an_event(api, browse, acme, door):
    if door == "page":
        assert browse(acme.owner).get("/admin/").status_code == 404
    else:
        answer = api.as_(acme.owner.user).post("/api/v1/platform/audit/verify")
        assert answer.status_code == 404
    (row,) = kept(facts__by=str(acme.owner.user_id))
    assert row.facts["wanted"] == "platform"


def test_an_ordinary_request_is_no_event(api, acme):
    before = counted(Kind.ESCALATION_DENIED)
    assert api.as_(acme.owner).get("/api/v1/audit/entries").status_code == 200
    assert api.as_(acme.viewer).get("/api/v1/forms").status_code == 200
    assert counted(Kind.ESCALATION_DENIED) == before


def test_a_broken_chain_is_an_event(acme):
    with as_system(acme.id):
        seal(acme.id)
        with superuser() as attacker:
            attacker.execute(
                "UPDATE audit_entry SET body = '{}' WHERE id = (SELECT entry_id FROM audit_seal"
                " WHERE tenant_id = %s AND seq = 0)",
                [acme.id],
            )
        made = verify()
        assert not made.whole
        keep(made)
    (row,) = kept(kind="chain_broken", facts__tenant=str(acme.id))
    assert row.facts["first_bad"] == 0


def test_the_apps_role_can_neither_read_nor_change_what_is_kept(wall):
    for statement in (
        "SELECT * FROM operations_alarm",
        "UPDATE operations_alarm SET seen_at = now()",
        "DELETE FROM operations_alarm",
    ):
        with psycopg.connect(_app_url()) as app, pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute(statement)


def _app_url():
    import os

    from tests.database import urls

    assert os.environ["DATABASE_URL"]
    return urls(connections["default"].settings_dict["NAME"])["DATABASE_URL"]


def test_a_full_queue_drops_and_counts_and_raises_nothing(wall, monkeypatch):
    small = alarms.Keeper(most_waiting=2)
    monkeypatch.setattr(small, "_ensure_thread", lambda: None)
    before = SECURITY_EVENTS_DROPPED._value.get()
    for _ in range(5):
        small.hear(SecurityEvent("brute_force", {}))
    assert SECURITY_EVENTS_DROPPED._value.get() == before + 3


def test_while_the_database_is_away_events_wait_and_are_written_when_it_is_back(wall, monkeypatch):
    mark = str(uuid4())
    own = alarms.Keeper()
    with monkeypatch.context() as away:
        away.setitem(connections["default"].settings_dict, "NAME", "there_is_no_such_database")
        connections["default"].close()
        own.hear(SecurityEvent("brute_force", {"mark": mark}))
        end = time.monotonic() + PATIENCE_SECONDS
        while own._waiting.qsize() and time.monotonic() < end:
            time.sleep(0.01)
    assert kept(facts__mark=mark)


def test_equal_events_of_one_moment_are_one_row_that_counts_them(wall):
    rows = [Alarm(kind="brute_force", facts={"a": 1}) for _ in range(4)] + [Alarm(kind="brute_force", facts={"a": 2})]
    assert sorted(row.count for row in alarms.merged(rows)) == [1, 4]


def test_what_anybody_can_repeat_is_raised_once_in_a_while(wall):
    before = counted(Kind.CONTEXT_FORGED)
    for _ in range(10):
        security_event_now_and_then(Kind.CONTEXT_FORGED, about="this")
    assert counted(Kind.CONTEXT_FORGED) == before + 1


def test_facts_are_of_bounded_size():
    assert alarms.plain({"a": "x" * 5000, "b": 3, "c": None, "d": uuid4()})["a"] == "x" * 200
    assert len(alarms.plain({str(n): n for n in range(100)})) == 20


def test_every_kind_has_words():
    assert set(KINDS) == set(Kind)
