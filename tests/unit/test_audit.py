"""The log: written with the act, sealed by another role, and broken by any changed byte."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, connection, transaction

from apps.audit.actions import record
from apps.audit.models import Entry, Seal
from apps.audit.sealer import seal
from apps.audit.verify import verify
from tests import database
from tests.cast import acting_as


def test_an_entry_needs_the_transaction_of_its_act(acme):
    with acting_as(acme.owner), pytest.raises(RuntimeError):
        record("team.created")


def test_an_act_that_is_rolled_back_leaves_no_entry(acme):
    with acting_as(acme.owner):
        before = Entry.objects.count()
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            record("team.created")
            1 / 0
        assert Entry.objects.count() == before


def test_a_whole_log_verifies_and_counts_its_entries(acme):
    seal(acme.id)
    with acting_as(acme.owner):
        found = verify()
        assert found.whole
        assert found.sealed == Entry.objects.count() > 0
        assert list(Seal.objects.order_by("seq").values_list("seq", flat=True)) == list(range(found.sealed))


@pytest.mark.parametrize("statement", ["UPDATE {} SET id = id", "DELETE FROM {}"])
@pytest.mark.parametrize("table", ["audit_entry", "audit_seal", "approvals_decision", "forms_revision"])
def test_the_app_can_neither_change_nor_delete(acme, table, statement):
    with acting_as(acme.owner), connection.cursor() as cursor, pytest.raises(DatabaseError, match="permission denied"):
        cursor.execute(statement.format(table))


def test_the_app_cannot_seal(acme):
    with acting_as(acme.owner), pytest.raises(DatabaseError, match="permission denied"):
        Seal(seq=10**6, entry=Entry.objects.first(), leaf=b"", chain=b"").save(force_insert=True)


TAMPERINGS = [
    "UPDATE audit_entry SET body = set_byte(body, 5, 120) WHERE id = %s",
    "UPDATE audit_entry SET action = 'team.changed' WHERE id = %s",
    "UPDATE audit_seal SET leaf = set_byte(leaf, 0, get_byte(leaf, 0) # 1) WHERE entry_id = %s",
    "DELETE FROM audit_seal WHERE entry_id = %s",
]


@pytest.mark.parametrize("tampering", TAMPERINGS)
def test_whatever_a_superuser_changes_is_found_at_its_place(acme, tampering):
    seal(acme.id)
    with acting_as(acme.owner):
        third = Seal.objects.get(seq=2)
    with database.superuser() as admin:
        admin.execute(tampering, [third.entry_id])
    with acting_as(acme.owner):
        found = verify()
    assert not found.whole
    assert found.first_bad == 2
