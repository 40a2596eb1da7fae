"""Whoever owns the database and not the key signs a rewritten log with a key of their own; nobody takes that for ours."""

from __future__ import annotations

from io import StringIO
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import transaction

from apps.audit import keys, note, sealer, tree
from apps.audit.actions import record
from apps.audit.checkpoints import NotSigned, checkpoint, checkpoint_instance
from apps.audit.instance import check_instance
from apps.audit.models import Checkpoint, Entry, Seal
from apps.audit.sealer import seal
from apps.audit.statements import Head
from apps.audit.verify import verify
from apps.audit.walk import Damage, Kind
from apps.operations import anchors
from apps.tenants.context import as_system
from apps.tenants.models import PLATFORM_TENANT_ID
from tests import database
from tests.attack.standing import attack
from tests.attack.test_the_audit_log import filled, rewrite
from tests.attack.test_the_log_of_checkpoints import undone  # noqa: F401
from tests.cast import acting_as
from tests.faults.test_anchors import configured, sign

FOREIGN = Ed25519PrivateKey.generate()
FOREIGN_PEM = FOREIGN.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.fixture
def rewritten(undone, acme):  # noqa: F811
    """A log whose entry #30 somebody with the whole database changed, with everything around it made and signed anew."""
    filled(acme, 300)
    checkpoint_instance()
    change_entry(acme, 30)
    with database.superuser() as admin:
        mine = admin.execute("SELECT leaf FROM audit_seal WHERE tenant_id = %s ORDER BY seq", [acme.id]).fetchall()
        sign_anew(admin, "tenant_id = %s AND log = 0", [bytes(leaf) for (leaf,) in mine], [acme.id])
        rows = admin.execute("SELECT leaf FROM audit_instanceleaf ORDER BY seq").fetchall()
        whole = [bytes(leaf) for (leaf,) in rows]
        sign_anew(admin, "log = 1", whole, [])
        for index in range(len(whole) // 256):
            node = tree.perfect_hash(whole[index * 256 : (index + 1) * 256])
            admin.execute(
                "UPDATE audit_treenode SET hash = %s WHERE log = 1 AND level = 8 AND index = %s", [node, index]
            )
    return acme


def change_entry(company, seq):
    """New bytes, columns that fit them, leaves, chain and nodes anew."""
    with acting_as(company.owner):
        entry = Seal.objects.get(seq=seq).entry_id
    attack(
        """UPDATE audit_entry SET body = convert_to(replace(convert_from(body, 'UTF8'), '"outcome":"done"',
           '"outcome":"none"'), 'UTF8'), outcome = 'none' WHERE id = %(entry)s""",
        entry=entry,
    )
    rewrite(company, seq)
    sealer._heads.clear()


def sign_anew(admin, where, leaves, values):
    """Every checkpoint `where` anew over these leaves, signed by a key that nobody here knows."""
    rows = admin.execute(f"SELECT id, size, origin FROM audit_checkpoint WHERE {where}", values).fetchall()
    for pk, size, origin in rows:
        grown = tree.CompactRange()
        for leaf in leaves[:size]:
            grown.append(leaf)
        head = Head(origin, size, grown.root())
        text = note.sign(head.text(), [note.Signer(origin, FOREIGN)])
        admin.execute("UPDATE audit_checkpoint SET root = %s, note = %s WHERE id = %s", [head.root, text, pk])
        admin.execute(
            "UPDATE audit_instanceleaf SET leaf = %s WHERE checkpoint = %s", [tree.leaf_hash(text.encode()), pk]
        )


def grow(company):
    with acting_as(company.owner), transaction.atomic():
        record("team.created")
    seal(company.id)


def verified(company, **how):
    with acting_as(company.owner):
        return verify(**how)


def told_by(command, **options):
    """(exit code or refusal, what was said) of a command."""
    said = StringIO()
    try:
        call_command(command, stdout=said, stderr=said, **options)
    except SystemExit as stop:
        return stop.code, said.getvalue()
    except CommandError as refusal:
        return "refused", str(refusal)
    return 0, said.getvalue()


def test_a_history_that_was_rewritten_and_signed_by_a_key_that_is_not_ours_is_found_and_named(rewritten):
    for how in ({}, {"incremental": True, "most": 10}):
        found = verified(rewritten, **how)
        assert (found.whole, found.kind, found.first_bad) == (False, Kind.HEAD_NOT_OURS, 300)
    code, said = told_by("verify_audit", tenant=rewritten.slug, processes=1)
    assert (code, "head_not_ours" in said) == (1, True)


def test_the_log_of_all_checkpoints_that_a_key_that_is_not_ours_signed_is_found_and_named(rewritten):
    with as_system(PLATFORM_TENANT_ID), pytest.raises(Damage) as found:
        check_instance()
    assert found.value.kind is Kind.HEAD_NOT_OURS


def test_our_key_signs_nothing_over_what_another_key_signed(rewritten, globex):
    grow(rewritten)
    with pytest.raises(NotSigned, match="no key of ORKESTRA_AUDIT_KEY has signed the newest checkpoint"):
        checkpoint(rewritten.id)
    with pytest.raises(NotSigned, match="no key of ORKESTRA_AUDIT_KEY"):
        checkpoint_instance()
    seal(globex.id)
    with pytest.raises(NotSigned, match="no key of ORKESTRA_AUDIT_KEY"):
        checkpoint(globex.id)  # whose leaf would stand in the log of all checkpoints


def test_our_key_signs_nothing_over_another_root_that_stands_beside_the_note_that_we_signed(undone, acme):  # noqa: F811
    filled(acme, 300)
    change_entry(acme, 30)
    with acting_as(acme.owner):
        leaves = [bytes(leaf) for leaf in Seal.objects.order_by("seq").values_list("leaf", flat=True)[:300]]
        grown = tree.CompactRange()
        for leaf in leaves:
            grown.append(leaf)
    attack(
        "UPDATE audit_checkpoint SET root = %(root)s WHERE tenant_id = %(mine)s AND size = 300",
        root=grown.root(),
        mine=acme.id,
    )
    grow(acme)
    with pytest.raises(NotSigned, match="columns are not what its note says"):
        checkpoint(acme.id)
    assert verified(acme).kind == Kind.CHECKPOINT_CHANGED


def test_our_key_signs_nothing_where_an_older_head_of_ours_stands_for_the_newest(undone, acme):  # noqa: F811
    filled(acme, 100)
    older = sign(acme)
    newest = sign(acme, 20)
    change_entry(acme, older.size + 5)
    attack(
        "UPDATE audit_checkpoint SET size = %(size)s, root = %(root)s, note = %(note)s WHERE id = %(id)s",
        "UPDATE audit_instanceleaf SET leaf = %(leaf)s WHERE checkpoint = %(id)s",
        size=older.size, root=bytes(older.root), note=older.note, id=newest.pk, leaf=tree.leaf_hash(older.note.encode()),
    )  # fmt: skip
    grow(acme)
    with pytest.raises(NotSigned, match="are not those that were signed"):
        checkpoint(acme.id)


@pytest.fixture
def another(undone, acme, monkeypatch, tmp_path):  # noqa: F811
    """A database, and a key file that somebody put in the place of the one that signed it."""
    made = sign(acme)
    path, ours = tmp_path / "audit.pem", settings.CONFIG.text(keys.VARIABLE)
    path.write_text(FOREIGN_PEM)
    with configured(monkeypatch, ORKESTRA_AUDIT_KEY_FILE=str(path), ORKESTRA_AUDIT_ANCHORS=""):
        yield SimpleNamespace(company=acme, made=made, path=path, ours=ours)


def test_another_key_file_for_an_old_database_is_named_and_signs_nothing(another):
    assert verified(another.company).kind == Kind.HEAD_NOT_OURS
    with pytest.raises(NotSigned, match="put the key that did behind the one in force"):
        checkpoint(another.company.id)


def test_a_start_with_another_key_file_for_an_old_database_stops_and_says_why(another):
    code, said = told_by("migrate", verbosity=0)
    assert (code, "no key of ORKESTRA_AUDIT_KEY has signed the newest checkpoint" in said) == ("refused", True)
    assert "\n" not in said, "a start shows the last line alone"


def test_the_key_of_before_behind_another_one_signs_every_log_by_both_and_may_go_then(another):
    another.path.write_text(FOREIGN_PEM + another.ours)
    assert told_by("migrate", verbosity=0)[0] == 0
    made = checkpoint(another.company.id)
    assert (made.pk == another.made.pk, made.size) == (False, another.made.size), (
        "signed again, though it has not grown"
    )
    assert checkpoint(another.company.id).pk == made.pk, "once"
    for public in keys.public_keys():
        note.open_note(made.note, [note.Verifier(made.origin, public)])
    assert verified(another.company).whole
    checkpoint_instance()
    another.path.write_text(FOREIGN_PEM)
    assert verified(another.company).whole
    check_instance()


@pytest.mark.every_tenant
def test_a_rotation_is_not_finished_while_the_newest_head_of_a_log_lacks_the_new_key(another, globex, monkeypatch):
    another.path.write_text(another.ours)
    quiet = sign(globex)
    call_command("rotate_audit_key", stdout=StringIO())
    attack(
        "DELETE FROM audit_checkpoint WHERE tenant_id = %(mine)s AND size > %(size)s", mine=globex.id, size=quiet.size
    )
    code, said = told_by("rotate_audit_key", finish=True)
    assert (code, globex.slug in said, "still needed" in said) == ("refused", True, True)
    assert len(keys.signing_keys()) == 2
    with acting_as(globex.owner):
        assert not Checkpoint.objects.filter(size__gt=quiet.size).exists()
    anchors.forget()


@pytest.mark.every_tenant
def test_a_key_that_is_lost_ends_where_its_public_half_vouches_for_what_it_signed(another):
    public = load_pem_private_key(another.ours.encode(), password=None).public_key()
    lost = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    code, said = told_by("rotate_audit_key", lost=True)
    assert (code, "BEGIN PUBLIC KEY" in said) == ("refused", True)
    another.path.write_text(FOREIGN_PEM + lost)
    assert told_by("migrate", verbosity=0)[0] == 0, "the command needs servers that run"
    assert verified(another.company).kind == Kind.HEAD_NOT_OURS
    with pytest.raises(NotSigned):
        checkpoint(another.company.id)
    told_by("rotate_audit_key", lost=True)
    assert verified(another.company).whole
    check_instance()
    with acting_as(another.company.owner):
        told = Entry.objects.get(action="log.key_lost").facts
    assert told["new"] == keys.fingerprint(note.raw_public(FOREIGN.public_key()))
    assert told["old"] == keys.fingerprint(note.raw_public(public))


def test_a_key_that_is_said_to_be_lost_ends_nothing_over_what_it_did_not_sign(rewritten, monkeypatch, tmp_path):
    ours = load_pem_private_key(settings.CONFIG.text(keys.VARIABLE).encode(), password=None).public_key()
    path, fresh = tmp_path / "audit.pem", Ed25519PrivateKey.generate()
    path.write_bytes(
        fresh.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        + ours.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    with configured(monkeypatch, ORKESTRA_AUDIT_KEY_FILE=str(path), ORKESTRA_AUDIT_ANCHORS=""):
        code, said = told_by("rotate_audit_key", lost=True)
        assert (code, f"the log of {rewritten.slug}" in said) == ("refused", True)
        with acting_as(rewritten.owner):
            assert not Checkpoint.objects.filter(size__gt=300).exists()
            assert not Entry.objects.filter(action="log.key_lost").exists()
