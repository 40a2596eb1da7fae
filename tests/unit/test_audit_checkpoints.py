"""Checkpoints: signed notes that continue each other, each a leaf of the instance log; receipts for single entries."""

from __future__ import annotations

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import connection

from apps.audit import keys, note, sealer, tree
from apps.audit.checkpoints import INSTANCE, NotSigned, checkpoint, checkpoint_all, checkpoint_instance
from apps.audit.models import Checkpoint, InstanceLeaf, Log, Seal
from apps.audit.sealer import seal
from apps.audit.statements import BadStatement, Head, Receipt
from apps.audit.storage import ENTRIES
from apps.tenants.context import as_system
from apps.tenants.ids import new_id
from apps.tenants.models import PLATFORM_TENANT_ID
from tests import database
from tests.cast import acting_as
from tests.unit.test_audit import fill

# The example of c2sp.org/signed-note and golang.org/x/mod/sumdb/note.
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETERS = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)


def opened(made: Checkpoint) -> Head:
    return Head.read(note.open_note(made.note, keys.verifiers(made.origin)))


def test_the_published_example_of_a_signed_note_opens():
    name, identity, encoded = PETER.split("+")
    public = base64.b64decode(encoded)[1:]
    peter = note.Verifier(name, public)
    assert peter.id.hex() == identity
    assert note.verifier_key(name, public) == PETER
    assert note.open_note(PETERS, [peter]).startswith("If you think")
    with pytest.raises(note.BadSignature):
        note.open_note(PETERS.replace("answer", "question"), [peter])


def test_a_note_that_only_unknown_keys_signed_is_not_believed():
    ours, other = (Ed25519PrivateKey.generate() for _ in range(2))
    text = "a text\n"
    made = note.sign(text, [note.Signer("one", ours), note.Signer("two", other)])
    known = note.Verifier("one", note.raw_public(ours.public_key()))
    assert note.open_note(made, [known]) == text
    with pytest.raises(note.Unsigned):
        note.open_note(made, [note.Verifier("one", note.raw_public(other.public_key()))])


@pytest.mark.parametrize("text", ["", "x", "x\n", "x\n\n", "x\n\n— name\n", "x\n\n— name !!!\n", "x\n\nname AAAA\n"])
def test_what_is_no_note_is_refused(text):
    with pytest.raises(note.BadNote):
        note.split(text)


@pytest.mark.parametrize(
    "text", ["o\n-1\nAA==\n", "o\n01\n" + "A" * 43 + "=\n", "o\n1\nAA==\n", "o\n1\n", "\n1\n\n", "o\n²\n\n"]
)
def test_what_is_no_head_is_refused(text):
    with pytest.raises(BadStatement):
        Head.read(text)


def test_a_checkpoint_signs_the_root_of_all_that_is_sealed(acme):
    seal(acme.id)
    made = checkpoint(acme.id)
    with acting_as(acme.owner):
        head = opened(made)
        assert head.origin == f"localhost/audit/{acme.id}"
        assert head.size == Seal.objects.count()
        assert head.root == tree.root(head.size, ENTRIES)
    assert checkpoint(acme.id).pk == made.pk


def test_every_checkpoint_is_a_leaf_of_the_signed_instance_log(acme, globex):
    made = []
    for company in (acme, globex, acme):
        with acting_as(company.owner):
            fill(2)
        seal(company.id)
        made.append(checkpoint(company.id))
    whole = checkpoint_instance()
    with as_system(PLATFORM_TENANT_ID):
        head = opened(whole)
        for one in made:
            leaf = tree.leaf_hash(one.note.encode())
            assert bytes(InstanceLeaf.objects.get(seq=one.place).leaf) == leaf
            proof = tree.prove_inclusion(one.place, head.size, INSTANCE)
            tree.check_inclusion(proof, one.place, head.size, leaf, head.root)


def test_the_instance_log_grows_past_one_tile(acme):
    with as_system(PLATFORM_TENANT_ID):
        have = InstanceLeaf.objects.count()
    with acting_as(acme.owner):
        for _ in range(max(260 - have, 3)):
            fill(1)
            seal(acme.id)
            checkpoint(acme.id)
    head = opened(checkpoint_instance())
    with as_system(PLATFORM_TENANT_ID):
        leaves = InstanceLeaf.objects.order_by("seq").values_list("leaf", flat=True)
        state = tree.CompactRange()
        for leaf in leaves:
            state.append(bytes(leaf))
    assert (state.size, state.root()) == (head.size, head.root)


@pytest.mark.every_tenant
def test_whatever_has_grown_is_signed_by_the_worker(acme, globex):
    for company in (acme, globex):
        seal(company.id)
    assert checkpoint_all() >= 2
    for company in (acme, globex):
        with acting_as(company.owner):
            assert Checkpoint.objects.latest("size").size == Seal.objects.count()


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM audit_seal WHERE tenant_id = %s AND seq >= 3",
        "UPDATE audit_seal SET leaf = sha256(leaf) WHERE tenant_id = %s AND seq = 1",
    ],
)
def test_a_log_that_does_not_continue_what_was_signed_is_never_signed_again(acme, damage):
    seal(acme.id)
    before = checkpoint(acme.id)
    with database.superuser() as attacker:
        attacker.execute("DELETE FROM audit_waiting WHERE tenant_id = %s", [acme.id])
        attacker.execute(damage, [acme.id])
    sealer._heads.clear()
    with pytest.raises(NotSigned):
        checkpoint(acme.id)
    with acting_as(acme.owner):
        assert Checkpoint.objects.latest("made_at").pk == before.pk


def test_the_app_can_neither_write_nor_change_a_checkpoint(acme):
    for statement in (
        "DELETE FROM audit_checkpoint",
        "UPDATE audit_checkpoint SET size = 0",
        "DELETE FROM audit_treenode",
    ):
        with acting_as(acme.owner), connection.cursor() as cursor, pytest.raises(Exception, match="permission denied"):
            cursor.execute(statement)
    with acting_as(acme.owner), pytest.raises(Exception, match="permission denied"):
        Checkpoint(log=Log.ENTRIES, size=1, root=bytes(32), made_at="2026-01-01T00:00Z").save(force_insert=True)


def test_a_receipt_says_what_it_says_and_nothing_else():
    made = Receipt("host/audit/x", new_id(), hashlib.sha256(b"").digest(), "2026-11-24T10:00:00.000000Z")
    assert Receipt.read(made.text()) == made
    with pytest.raises(BadStatement):
        Head.read(made.text())
    with pytest.raises(BadStatement):
        Receipt.read(made.text().replace("leaf", "root"))
