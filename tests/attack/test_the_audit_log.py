"""Every attack on the log, done as the database's superuser on a real log, is found and named."""

from __future__ import annotations

import os
import random
import signal
from functools import lru_cache

import pytest
from django.core.management import call_command
from django.db import transaction

from apps.audit import background, sealer, walk
from apps.audit.actions import record
from apps.audit.checkpoints import checkpoint
from apps.audit.models import Entry, Seal, Verified
from apps.audit.sealer import seal
from apps.audit.verify import keep, verify
from apps.audit.walk import Kind
from apps.tenants.ids import new_id
from tests import database
from tests.cast import Company, acting_as, company

from .standing import Standing, attack, whole

SIZE = 620


@lru_cache(maxsize=1)
def standing() -> Standing:
    """A log of three tiles with two checkpoints, made once for a process."""
    made = company("acme")
    filled(made, SIZE)
    return Standing(made)


def filled(company: Company, size: int) -> None:
    with acting_as(company.owner):
        while (have := Entry.objects.count()) < size:
            with transaction.atomic():
                for number in range(min(300, size - have)):
                    record("team.created", facts={"n": number}, receipt=number % 100 == 7)
            seal(company.id)
            checkpoint(company.id)


@pytest.fixture
def log(wall):
    with whole(standing) as found:
        yield found


def verdict(company, **how: object):
    with acting_as(company.owner):
        return verify(**how)


# What is done at #300, and what it is called.
ATTACKS = {
    "the bytes of an entry are edited": (
        ["UPDATE audit_entry SET body = set_byte(body, 30, 120) WHERE id = %(entry)s"], Kind.ENTRY_CHANGED, 300,
    ),
    "bytes that are no text are put in": (
        ["UPDATE audit_entry SET body = '\\xff00' WHERE id = %(entry)s"], Kind.ENTRY_CHANGED, 300,
    ),
    "a newline is added to an entry": (
        ["UPDATE audit_entry SET body = body || '\\x0a' WHERE id = %(entry)s"], Kind.ENTRY_CHANGED, 300,
    ),
    "the bytes and the leaf are edited": (
        ["UPDATE audit_entry SET body = set_byte(body, 30, 120) WHERE id = %(entry)s",
         "UPDATE audit_seal SET leaf = sha256('\\x00'::bytea || (SELECT body FROM audit_entry WHERE id = %(entry)s))"
         " WHERE entry_id = %(entry)s"], Kind.CHAIN_CHANGED, 300,
    ),
    "what the pages display is edited": (
        ["UPDATE audit_entry SET action = 'team.changed' WHERE id = %(entry)s"], Kind.DISPLAY_CHANGED, 300,
    ),
    "who it was is edited": (
        ["UPDATE audit_entry SET actor_id = gen_random_uuid() WHERE id = %(entry)s"], Kind.DISPLAY_CHANGED, 300,
    ),
    "who it was is taken away": (
        ["UPDATE audit_entry SET actor_id = NULL WHERE id = %(entry)s"], Kind.DISPLAY_CHANGED, 300,
    ),
    "when it was is edited": (
        ["UPDATE audit_entry SET time = time - interval '1 microsecond' WHERE id = %(entry)s"], Kind.DISPLAY_CHANGED, 300,
    ),
    "what it was about is edited": (
        ["UPDATE audit_entry SET target_label = 'x', target_type = 'form', target_id = id WHERE id = %(entry)s"],
        Kind.DISPLAY_CHANGED, 300,
    ),
    "a name is put beside an act that was about nothing": (
        ["UPDATE audit_entry SET target_label = 'PR-2026-00099' WHERE id = %(entry)s"], Kind.DISPLAY_CHANGED, 300,
    ),
    "when it was is put before Christ": (
        ["UPDATE audit_entry SET time = (to_char(time AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '+00 BC')::timestamptz"
         " WHERE id = %(entry)s"], Kind.DISPLAY_CHANGED, 300,
    ),
    "when it was is put beyond all time": (
        ["UPDATE audit_entry SET time = 'infinity' WHERE id = %(entry)s"], Kind.DISPLAY_CHANGED, 300,
    ),
    "how it ended is edited": (
        ["UPDATE audit_entry SET outcome = 'refused' WHERE id = %(entry)s"], Kind.DISPLAY_CHANGED, 300,
    ),
    "an entry is deleted": (["DELETE FROM audit_entry WHERE id = %(entry)s"], Kind.ENTRY_MISSING, 300),
    "an entry and its seal are deleted": (
        ["DELETE FROM audit_seal WHERE entry_id = %(entry)s", "DELETE FROM audit_entry WHERE id = %(entry)s"], Kind.GAP, 300,
    ),
    "an entry is deleted and the rest renumbered": (
        ["DELETE FROM audit_seal WHERE entry_id = %(entry)s", "DELETE FROM audit_entry WHERE id = %(entry)s",
         "UPDATE audit_seal SET seq = seq + 1000000 WHERE tenant_id = %(tenant)s AND seq > 300",
         "UPDATE audit_seal SET seq = seq - 1000001 WHERE tenant_id = %(tenant)s AND seq > 1000000"], Kind.TAIL_CUT, SIZE - 1,
    ),
    "two entries change places": (
        ["UPDATE audit_seal SET seq = 1000000 WHERE tenant_id = %(tenant)s AND seq = 300",
         "UPDATE audit_seal SET seq = 300 WHERE tenant_id = %(tenant)s AND seq = 301",
         "UPDATE audit_seal SET seq = 301 WHERE tenant_id = %(tenant)s AND seq = 1000000"], Kind.CHAIN_CHANGED, 300,
    ),
    "an entry is put in between": (
        ["UPDATE audit_seal SET seq = seq + 1000000 WHERE tenant_id = %(tenant)s AND seq >= 300",
         "UPDATE audit_seal SET seq = seq - 999999 WHERE tenant_id = %(tenant)s AND seq >= 1000000",
         "INSERT INTO audit_entry (tenant_id, id, time, action, actor_type, target_type, target_label, outcome,"
         " request_id, body) SELECT tenant_id, %(fresh)s, time, action, actor_type, target_type, target_label, outcome,"
         " request_id, body FROM audit_entry WHERE id = %(entry)s",
         "INSERT INTO audit_seal (tenant_id, id, seq, entry_id, leaf, chain) SELECT tenant_id, %(fresh)s, 300, %(fresh)s,"
         " leaf, chain FROM audit_seal WHERE entry_id = %(entry)s"], Kind.DISPLAY_CHANGED, 300,
    ),
    "the tail is cut": (
        ["DELETE FROM audit_seal WHERE tenant_id = %(tenant)s AND seq >= 300"], Kind.TAIL_CUT, 300,
    ),
    "a stored hash of the tree is edited": (
        ["UPDATE audit_treenode SET hash = sha256(hash) WHERE tenant_id = %(tenant)s AND index = 1"], Kind.TREE_CHANGED, 256,
    ),
    "a stored hash of the tree is deleted": (
        ["DELETE FROM audit_treenode WHERE tenant_id = %(tenant)s AND index = 1"], Kind.TREE_CHANGED, 256,
    ),
    "a checkpoint's root is edited": (
        ["UPDATE audit_checkpoint SET root = sha256(root) WHERE tenant_id = %(tenant)s AND size < 500"],
        Kind.SIGNED_OTHERWISE, None,
    ),
    "a checkpoint's note is edited": (
        ["UPDATE audit_checkpoint SET note = replace(note, E'\\n', E'\\n ') WHERE tenant_id = %(tenant)s"],
        Kind.CHECKPOINT_CHANGED, None,
    ),
    "a checkpoint is deleted": (
        ["DELETE FROM audit_checkpoint WHERE tenant_id = %(tenant)s AND size < 500"], Kind.CHECKPOINT_MISSING, SIZE,
    ),
    "a receipt is edited": (
        ["UPDATE audit_receipt SET note = replace(note, 'leaf ', 'leaf A') WHERE tenant_id = %(tenant)s"],
        Kind.RECEIPT_BROKEN, None,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_found_and_named(log, name):
    statements, kind, seq = ATTACKS[name]
    assert verdict(log).whole
    with acting_as(log.owner):
        entry = Seal.objects.get(seq=300).entry_id
    attack(*statements, entry=entry, tenant=log.id, fresh=new_id())
    found = verdict(log)
    assert (found.whole, found.kind) == (False, kind), found
    assert seq is None or found.first_bad == seq, found


def test_a_whole_chain_that_is_computed_anew_differs_from_what_was_signed(log):
    with acting_as(log.owner):
        entry = Seal.objects.get(seq=300).entry_id
    attack("UPDATE audit_entry SET body = set_byte(body, 30, 120) WHERE id = %(entry)s", entry=entry)
    rewrite(log, 300)
    found = verdict(log)
    assert (found.kind, found.first_bad) in {
        (Kind.SIGNED_OTHERWISE, 599),
        (Kind.DISPLAY_CHANGED, 300),
        (Kind.ENTRY_CHANGED, 300),
    }
    assert not found.whole


def test_a_rewritten_history_that_displays_what_it_says_is_found_by_the_signature(log):
    """The most that a database administrator can do: new bytes, columns that fit, leaves, chain and nodes anew."""
    with acting_as(log.owner):
        entry = Seal.objects.get(seq=300).entry_id
        Entry.objects.get(pk=entry)
    attack(
        """UPDATE audit_entry SET body = convert_to(replace(convert_from(body, 'UTF8'), '"outcome":"done"',
           '"outcome":"none"'), 'UTF8'), outcome = 'none' WHERE id = %(entry)s""",
        entry=entry,
    )
    rewrite(log, 300)
    found = verdict(log)
    assert (found.whole, found.kind) == (False, Kind.SIGNED_OTHERWISE)


def rewrite(log, start: int) -> None:
    """Compute leaves, chain and nodes anew, as somebody would who owns the database."""
    from apps.audit import chain, tree

    with acting_as(log.owner):
        seals = list(Seal.objects.select_related("entry").order_by("seq"))
        leaves = [tree.leaf_hash(bytes(place.entry.body)) for place in seals]
    head = bytes(seals[start - 1].chain)
    with database.superuser() as admin:
        for place in seals[start:]:
            head = chain.chain_of(head, leaves[place.seq])
            admin.execute(
                "UPDATE audit_seal SET leaf = %s, chain = %s WHERE id = %s", [leaves[place.seq], head, place.pk]
            )
        for index in range(len(leaves) // 256):
            node = tree.perfect_hash(leaves[index * 256 : (index + 1) * 256])
            values = [node, log.id, index]
            admin.execute("UPDATE audit_treenode SET hash = %s WHERE tenant_id = %s AND index = %s", values)


def test_an_entry_that_is_dropped_before_it_is_sealed_is_missed_by_its_receipt(log):
    with acting_as(log.owner), transaction.atomic():
        entry = record("team.created", receipt=True)
    attack(
        "DELETE FROM audit_waiting WHERE id = %(entry)s", "DELETE FROM audit_entry WHERE id = %(entry)s", entry=entry.pk
    )
    found = verdict(log)
    assert (found.kind, str(entry.pk) in found.reason) == (Kind.RECEIPT_BROKEN, True)


def test_an_entry_that_is_kept_from_the_sealer_is_found(log):
    with acting_as(log.owner), transaction.atomic():
        entry = record("team.created")
    attack("DELETE FROM audit_waiting WHERE id = %(entry)s", entry=entry.pk)
    assert verdict(log).kind == Kind.FORGOTTEN


def test_random_changes_of_rows_are_all_found_and_undoing_them_heals(acme):
    """A sample on the database of what the suite does to bundles ten thousand times; each walks one tile and a bit."""
    log, dice = acme, random.Random(20261124)
    filled(log, 260)
    with acting_as(log.owner):
        seals = list(Seal.objects.order_by("seq").values_list("seq", "entry_id"))
    with database.superuser() as admin:
        for number in range(60):
            seq, entry = dice.choice(seals)
            table, column, key = dice.choice(
                [("audit_entry", "body", "id"), ("audit_seal", "leaf", "entry_id"), ("audit_seal", "chain", "entry_id")]
            )
            (before,) = admin.execute(f"SELECT {column} FROM {table} WHERE {key} = %s", [entry]).fetchone()
            at = dice.randrange(len(before))
            changed = before[:at] + bytes([before[at] ^ dice.randrange(1, 256)]) + before[at + 1 :]
            admin.execute(f"UPDATE {table} SET {column} = %s WHERE {key} = %s", [changed, entry])
            found = verdict(log)
            assert (found.whole, found.first_bad) == (False, seq), (number, table, column, found)
            admin.execute(f"UPDATE {table} SET {column} = %s WHERE {key} = %s", [before, entry])
    assert verdict(log).whole


def test_an_incremental_verification_goes_on_where_the_last_ended_and_sees_what_is_new(log):
    with acting_as(log.owner):
        first = verify()
        keep(first)
        assert (Verified.objects.get().size, first.since) == (512, 0)
        with transaction.atomic():
            for _ in range(3):
                record("team.created")
        seal(log.id)
        second = verify(incremental=True)
        assert (second.whole, second.since, second.sealed) == (True, 512, first.sealed + 3)
        entry = Seal.objects.get(seq=first.sealed + 1).entry_id
    attack("UPDATE audit_entry SET body = set_byte(body, 30, 120) WHERE id = %(entry)s", entry=entry)
    found = verdict(log, incremental=True)
    assert (found.kind, found.first_bad) == (Kind.ENTRY_CHANGED, first.sealed + 1)


def test_the_worker_raises_an_alarm_once_and_a_broken_log_stays_broken_until_it_is_whole(log, caplog):
    with acting_as(log.owner):
        background.verify_what_is_new()
        assert Verified.objects.get().whole
        with transaction.atomic():
            record("team.created")
        seal(log.id)
        entry = Seal.objects.order_by("-seq").first().entry_id
    with database.superuser() as admin:
        (before,) = admin.execute("SELECT body FROM audit_entry WHERE id = %s", [entry]).fetchone()
    attack("UPDATE audit_entry SET body = set_byte(body, 30, 120) WHERE id = %(entry)s", entry=entry)
    with acting_as(log.owner):
        for _ in range(2):
            background.verify_what_is_new()
        assert not Verified.objects.get().whole
    assert sum("chain_broken" in line.getMessage() for line in caplog.records) == 1
    attack("UPDATE audit_entry SET body = %(body)s WHERE id = %(entry)s", entry=entry, body=before)
    with acting_as(log.owner):
        keep(verify())
        assert Verified.objects.get().whole


@pytest.mark.parametrize(("how", "code"), [(None, 0), ("UPDATE audit_seal SET chain = leaf WHERE tenant_id = %(tenant)s AND seq = 5", 1), ("DELETE FROM audit_seal WHERE tenant_id = %(tenant)s AND seq > 5", 2)])  # fmt: skip
def test_the_command_ends_with_what_it_found(log, capsys, how, code):
    if how:
        attack(how, tenant=log.id)
    sealer._heads.clear()
    with pytest.raises(SystemExit) as stop:
        call_command("verify_audit", tenant=log.slug, processes=2)
    assert stop.value.code == code
    assert log.slug in capsys.readouterr().out


def test_a_process_that_is_killed_is_no_verdict(log, monkeypatch, capsys):
    from apps.audit import parallel

    monkeypatch.setattr(parallel, "STRETCH", 256)
    monkeypatch.setattr(parallel, "walk_log", lambda *where: os.kill(os.getpid(), signal.SIGKILL))
    with pytest.raises(SystemExit) as stop:
        call_command("verify_audit", tenant=log.slug, processes=2)
    assert stop.value.code == 4
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("Could not run: BrokenProcessPool: ")


def test_an_interrupt_is_no_verdict(log, monkeypatch, capsys):
    def interrupt(tenant):
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("apps.audit.management.commands.verify_audit.seal", interrupt)
    with pytest.raises(SystemExit) as stop:
        call_command("verify_audit", tenant=log.slug, processes=1)
    assert stop.value.code == 4
    assert capsys.readouterr().err == "Could not run: KeyboardInterrupt\n"


def test_several_processes_find_the_same_as_one(log, monkeypatch):
    from apps.audit import parallel

    monkeypatch.setattr(parallel, "STRETCH", 256)
    with acting_as(log.owner):
        assert verify(walker=parallel.in_processes(2)).head == verify().head
        entry = Seal.objects.get(seq=300).entry_id
    attack("UPDATE audit_entry SET body = set_byte(body, 30, 120) WHERE id = %(entry)s", entry=entry)
    with acting_as(log.owner):
        found = verify(walker=parallel.in_processes(2))
    assert (found.kind, found.first_bad) == (Kind.ENTRY_CHANGED, 300)


@pytest.mark.parametrize("change", [None, "outcome = 'refused'", "target_type = 'form'"])
def test_acts_in_somebodys_place_are_compared_alone_and_their_neighbours_with_all_others(log, change, monkeypatch):
    with acting_as(log.owner):
        with transaction.atomic():
            stood_in = [record("team.created", facts={"n": n}, on_behalf_of=log.viewer.pk) for n in range(3)]
        seal(log.id)
        place = Seal.objects.get(entry=stood_in[1]).seq
    compared: list[int] = []
    real = walk.compare
    monkeypatch.setattr(walk, "compare", lambda seq, entry: (compared.append(seq), real(seq, entry)))
    if change:
        attack(f"UPDATE audit_entry SET {change} WHERE id = %(entry)s", entry=stood_in[1].pk)
    found = verdict(log)
    assert compared == [place - 1, place, place + 1][: 2 if change else 3]
    assert (found.kind, found.first_bad) == ((Kind.DISPLAY_CHANGED, place) if change else ("", None))
