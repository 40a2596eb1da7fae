"""A log's past cannot be lent to another tenant, begun anew without a word, or lost with its tenant."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from django.core.management import call_command
from django.db import transaction

from apps.audit import evidence, incarnations
from apps.audit.actions import record
from apps.audit.asked import seal_and_verify
from apps.audit.checkpoints import NotSigned, checkpoint, checkpoint_instance
from apps.audit.incarnations import check_anchors, opening
from apps.audit.instance import check_instance
from apps.audit.models import Checkpoint, InstanceLeaf
from apps.audit.sealer import seal
from apps.audit.verify import verify
from apps.audit.walk import Damage, Kind
from apps.tenants.context import as_system
from apps.tenants.ids import new_id
from apps.tenants.models import PLATFORM_TENANT_ID
from apps.tenants.slots import slots
from tests import database
from tests.attack.standing import FREE, attack
from tests.cast import acting_as, company
from tests.faults.test_anchors import sign

MINE = {"audit_checkpoint": "tenant_id", "audit_instanceleaf": "about"}


@pytest.fixture
def undone():
    """Whatever the test does to these tables is undone after it: other tests read the instance log as well."""
    tables = ("audit_checkpoint", "audit_instanceleaf", "audit_incarnation", "audit_treenode")
    with database.superuser() as admin:
        admin.execute("CREATE SCHEMA kept")
        for table in tables:
            admin.execute(f"CREATE TABLE kept.{table} AS SELECT * FROM {table}")
    yield
    with database.superuser() as admin:
        admin.execute(FREE)
        for table in tables:
            admin.execute(f"DELETE FROM {table}")
            admin.execute(f"INSERT INTO {table} SELECT * FROM kept.{table}")
        admin.execute("DROP SCHEMA kept CASCADE")


def damage_of_the_instance_log():
    with pytest.raises(Damage) as found:
        check_instance()
    return found.value


def test_a_whole_tenant_that_vanishes_is_missed_by_the_instance_log(wall):
    gone = company("gone")
    seal(gone.id)
    checkpoint(gone.id)
    checkpoint_instance()
    tables = ("checkpoint", "seal", "treenode", "entry", "waiting", "receipt")
    kept = {}
    with database.superuser() as admin:
        admin.execute(FREE)
        for table in tables:
            kept[table] = f"kept_{gone.id.hex}_{table}"
            admin.execute(
                f"CREATE TABLE public.{kept[table]} AS SELECT * FROM audit_{table} WHERE tenant_id = %s", [gone.id]
            )
            admin.execute(f"DELETE FROM audit_{table} WHERE tenant_id = %s", [gone.id])
    try:
        with as_system(PLATFORM_TENANT_ID), pytest.raises(Damage) as found:
            check_instance()
        assert (found.value.kind, str(gone.id) in found.value.reason) == (Kind.CHECKPOINT_MISSING, True)
    finally:
        with database.superuser() as admin:
            admin.execute(FREE)
            for table, name in kept.items():
                admin.execute(f"INSERT INTO audit_{table} SELECT * FROM public.{name}")
                admin.execute(f"DROP TABLE public.{name}")
    with as_system(PLATFORM_TENANT_ID):
        check_instance()


def test_a_past_that_is_lent_to_a_tenant_that_never_was_is_missed(undone, acme):
    sign(acme)
    nobody = new_id()
    for table, column in MINE.items():
        attack(f"UPDATE {table} SET {column} = %(to)s WHERE {column} = %(mine)s", to=nobody, mine=acme.id)
    assert verify_of(acme).whole, "nothing here tells of the past any more"
    found = damage_of_the_instance_log()
    assert (found.kind, str(nobody) in found.reason) == (Kind.CHECKPOINT_MISSING, True)


def test_a_past_that_is_lent_to_another_tenant_is_found_there(undone, acme, globex):
    sign(acme)
    for table, column in MINE.items():
        attack(f"UPDATE {table} SET {column} = %(to)s WHERE {column} = %(mine)s", to=globex.id, mine=acme.id)
    with acting_as(globex.owner), transaction.atomic():
        for _number in range(9):
            record("team.created")
    seal(globex.id)
    assert verify_of(globex).kind == Kind.SIGNED_OTHERWISE
    assert verify_of(acme).whole, "which is why a missing tenant and another's name are looked for"
    with acting_as(globex.owner):
        (lent,) = Checkpoint.objects.all()
        with pytest.raises(Damage, match="of another log"):
            evidence.check_note(lent)


def test_a_leaf_that_is_said_to_be_about_another_log_is_found_where_it_was_signed(undone, acme, globex):
    sign(acme)
    attack("UPDATE audit_instanceleaf SET about = %(to)s WHERE about = %(mine)s", to=globex.id, mine=acme.id)
    assert verify_of(acme).kind == Kind.CHECKPOINT_CHANGED


def test_a_log_whose_checkpoints_are_gone_is_not_signed_as_a_new_one(undone, acme):
    sign(acme)
    attack("DELETE FROM audit_checkpoint WHERE tenant_id = %(mine)s", mine=acme.id)
    with pytest.raises(NotSigned, match="which is not here"):
        checkpoint(acme.id)


def test_a_tenant_that_vanishes_with_its_row_is_missed_by_the_hourly_run_and_by_every_way_to_ask(undone, acme):
    sign(acme)
    nobody = new_id()
    attack(
        "UPDATE audit_checkpoint SET tenant_id = %(to)s WHERE tenant_id = %(mine)s AND size > 0",
        to=nobody,
        mine=acme.id,
    )
    attack("UPDATE audit_instanceleaf SET about = %(to)s WHERE about = %(mine)s", to=nobody, mine=acme.id)
    with as_system(PLATFORM_TENANT_ID):
        found = seal_and_verify()
    assert (found.whole, found.kind) == (False, Kind.CHECKPOINT_MISSING)


def test_hashes_of_the_instance_log_that_are_gone_are_named(undone, acme):
    made = sign(acme)
    attack("DELETE FROM audit_treenode WHERE log = 1")
    attack("UPDATE audit_instanceleaf SET leaf = sha256(leaf) WHERE seq = %(seq)s", seq=made.place)
    assert damage_of_the_instance_log().kind in {Kind.TREE_CHANGED, Kind.SIGNED_OTHERWISE}


@pytest.mark.every_tenant
def test_a_number_of_a_new_beginning_that_no_entry_tells_of_is_signed_by_nobody_and_found(undone, acme):
    sign(acme)
    number = 1000  # no test has told of it
    attack(
        "INSERT INTO audit_incarnation (tenant_id, id, number, opened_at) VALUES (%(platform)s, gen_random_uuid(), %(number)s, now())",
        platform=PLATFORM_TENANT_ID, number=number,
    )  # fmt: skip
    with acting_as(acme.owner), transaction.atomic():
        record("team.created")
    seal(acme.id)
    with pytest.raises(NotSigned, match="no entry of the platform's log tells why"):
        checkpoint(acme.id)
    assert opening(number) is None
    assert damage_of_the_instance_log().kind == Kind.ORIGIN_UNEXPLAINED
    with pytest.raises(SystemExit) as stop:
        call_command("verify_audit")
    assert stop.value.code == 1


def test_a_checkpoint_that_is_signed_while_the_log_is_verified_is_no_damage(undone, acme, monkeypatch):
    """Between any two questions of the verification another may commit."""
    sign(acme)
    ask = evidence.batches

    def meanwhile(*asked, **how):
        yield from ask(*asked, **how)
        sign(acme)

    monkeypatch.setattr(evidence, "batches", meanwhile)
    assert verify_of(acme).whole


def test_an_anchor_that_is_written_while_the_instance_log_is_verified_is_no_damage(undone, acme, monkeypatch):
    sign(acme)
    asked = slots.anchored

    def meanwhile():
        monkeypatch.setattr(slots, "anchored", asked)
        found = asked()
        sign(acme)
        return found

    monkeypatch.setattr(slots, "anchored", meanwhile)
    check_instance()


def test_every_batch_of_checkpoints_is_compared(undone, acme, monkeypatch):
    monkeypatch.setattr(evidence, "BATCH", 2)
    made = [sign(acme) for _number in range(5)]
    assert verify_of(acme).whole
    with as_system(PLATFORM_TENANT_ID):
        assert InstanceLeaf.objects.filter(about=acme.id).count() >= 5
    attack("UPDATE audit_checkpoint SET place = place - 1 WHERE id = %(id)s", id=made[3].pk)
    assert verify_of(acme).first_bad == made[3].size
    attack("DELETE FROM audit_checkpoint WHERE id = %(id)s", id=made[3].pk)
    assert verify_of(acme).kind == Kind.CHECKPOINT_MISSING


def verify_of(company):
    with acting_as(company.owner):
        return verify()


def test_what_is_kept_outside_of_the_time_before_must_be_what_the_new_beginning_tells(monkeypatch):
    told = incarnations.Opening(before=1, have=2, anchored=1, size=5, root=b"5" * 32)
    monkeypatch.setattr(incarnations, "incarnation", lambda: 2)
    monkeypatch.setattr(incarnations, "opening", lambda number: told)
    monkeypatch.setattr(incarnations.tree, "root", lambda size, read: bytes([48 + size]) * 32)

    def fault(size, root, number=1):
        anchor = SimpleNamespace(where="a place", incarnation=number, size=size, root=root)
        try:
            check_anchors([anchor], 3, None)
        except Damage as found:
            return found.kind
        return None

    assert fault(5, b"5" * 32) is None, "it is told to be lost"
    assert fault(4, b"x" * 32) is None, "it was lost: what it said is not known here"
    assert fault(2, b"2" * 32) is None, "it was here"
    assert fault(2, b"x" * 32) is Kind.ANCHOR_DIFFERS
    assert fault(5, b"x" * 32) is Kind.TAIL_CUT, "another one than the entry tells of"
    assert fault(6, b"6" * 32) is Kind.TAIL_CUT, "more was lost than is told"
    assert fault(1, b"1" * 32, number=3) is Kind.TAIL_CUT, "a later beginning is not known here"
    assert fault(3, b"3" * 32, number=2) is None
    assert fault(4, b"4" * 32, number=2) is Kind.TAIL_CUT
