"""A stored receipt that is not what a key of ours signed over its entry is found, whoever put it there."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings
from django.core.management import call_command
from django.db import transaction

from apps.audit import canonical, keys, note, tree
from apps.audit.actions import record
from apps.audit.models import Receipt, Seal
from apps.audit.sealer import seal
from apps.audit.statements import Receipt as Statement
from apps.audit.verify import verify
from apps.audit.walk import Kind
from tests.attack.standing import attack
from tests.cast import acting_as
from tests.faults.test_anchors import configured, sign
from tests.rotation import of_whole_logs

FOREIGN = Ed25519PrivateKey.generate()
OTHER_TENANT = "0199aaaa-0000-7000-8000-000000000000"


def acted(company, *, receipt):
    with acting_as(company.owner), transaction.atomic():
        entry = record("team.created", receipt=receipt)
    seal(company.id)
    return entry


def statement(entry, **changes):
    origin = keys.origin_of(entry.tenant_id, 1)
    said = Statement(origin, entry.pk, tree.leaf_hash(bytes(entry.body)), canonical.timestamp(entry.time))
    return replace(said, **changes)


def ours(said):
    return note.sign(said.text(), keys.signers(said.origin))


def by_another(said):
    return note.sign(said.text(), [note.Signer(said.origin, FOREIGN)])


def found_of(entry, company):
    with acting_as(company.owner):
        found, place = verify(), Seal.objects.get(entry=entry.pk).seq
    return found.kind, found.first_bad == place


CHANGES = {
    "its time": lambda kept, entry: kept.replace("\ntime 2", "\ntime 1"),
    "its time, signed by us": lambda kept, entry: ours(statement(entry, time="2020-01-01T00:00:00.000000Z")),
    "its log": lambda kept, entry: kept.replace("orkestra-receipt/v1\nlocalhost", "orkestra-receipt/v1\nelsewhere"),
    "its log, signed by us": lambda kept, entry: ours(statement(entry, origin=f"localhost/audit/{OTHER_TENANT}")),
    "its signature": lambda kept, entry: by_another(statement(entry)),
    "the name beside its signature": lambda kept, entry: kept.replace("— localhost", "— elsewhere"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_receipt_that_was_changed_behind_the_log_is_found_and_named(acme, what):
    entry = acted(acme, receipt=True)
    with acting_as(acme.owner):
        kept = Receipt.objects.get(entry=entry.pk).note
        assert verify().whole
    changed = CHANGES[what](kept, entry)
    assert changed != kept
    attack("UPDATE audit_receipt SET note = %(note)s WHERE entry_id = %(entry)s", note=changed, entry=entry.pk)
    assert found_of(entry, acme) == (Kind.RECEIPT_BROKEN, True)


def test_a_receipt_that_injected_sql_plants_for_an_act_that_has_none_is_found_and_named(acme):
    entry = acted(acme, receipt=False)
    with acting_as(acme.owner):
        Receipt(entry=entry, note=by_another(statement(entry))).save(force_insert=True)
    assert found_of(entry, acme) == (Kind.RECEIPT_BROKEN, True)


@pytest.mark.every_tenant
def test_receipts_and_checkpoints_by_a_key_that_was_retired_still_verify_and_must_fit(acme, monkeypatch, tmp_path):
    path, before = tmp_path / "audit.pem", settings.CONFIG.text(keys.VARIABLE)
    path.write_text(before)
    of_whole_logs(monkeypatch, acme)
    with configured(monkeypatch, ORKESTRA_AUDIT_KEY_FILE=str(path), ORKESTRA_AUDIT_ANCHORS=""):
        entry, older = acted(acme, receipt=True), sign(acme)
        (old,) = keys.public_keys()
        for finish in (False, True):
            call_command("rotate_audit_key", finish=finish, stdout=StringIO())
        assert old not in keys.public_keys()
        with acting_as(acme.owner):
            assert verify().whole
            kept = Receipt.objects.get(entry=entry.pk)
        _name, _space, encoded = older.note.splitlines()[-1].rpartition(" ")
        forged = encoded[:20] + ("A" if encoded[20] != "A" else "B") + encoded[21:]
        attack("UPDATE audit_checkpoint SET note = replace(note, %(kept)s, %(forged)s) WHERE id = %(id)s",
               kept=encoded, forged=forged, id=older.pk)  # fmt: skip
        with acting_as(acme.owner):
            assert verify().kind == Kind.CHECKPOINT_CHANGED
        attack("UPDATE audit_checkpoint SET note = %(note)s WHERE id = %(id)s", note=older.note, id=older.pk)
        for finish in (False, True):
            call_command("rotate_audit_key", finish=finish, stdout=StringIO())
        with acting_as(acme.owner):
            assert verify().whole, "a second change of keys forgets nothing of the first"
        said = kept.note.replace("\ntime 2", "\ntime 1")
        attack("UPDATE audit_receipt SET note = %(note)s WHERE id = %(id)s", note=said, id=kept.pk)
        assert found_of(entry, acme) == (Kind.RECEIPT_BROKEN, True)
        path.write_text(before + path.read_text())
        call_command("rotate_audit_key", finish=True, stdout=StringIO())  # every log by the key that other tests know
