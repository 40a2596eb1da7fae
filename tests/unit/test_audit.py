"""The log: written with the act, sealed by another role, and broken by any changed byte."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, connection, transaction

from apps.audit import sealer, tree
from apps.audit.actions import record
from apps.audit.models import Entry, Seal, TreeNode, Waiting
from apps.audit.sealer import seal, seal_all, seal_forgotten
from apps.audit.storage import ENTRIES
from apps.audit.verify import verify
from apps.tenants.ids import new_id
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


def test_an_act_for_somebody_else_names_them_and_the_log_stays_whole(acme):
    with acting_as(acme.editor), transaction.atomic():
        said = record("team.created", on_behalf_of=acme.owner.pk).document
    assert said["on_behalf_of"] == {"type": "member", "id": str(acme.owner.pk)}
    assert said["actor"] == {"type": "member", "id": str(acme.editor.pk)}
    seal(acme.id)
    with acting_as(acme.owner), transaction.atomic():
        assert "on_behalf_of" not in record("team.created").document
        assert verify().whole


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


def test_a_tenants_owner_verifies_only_their_own_log(browse, api, acme):
    assert browse(acme.owner).post("/admin/audit/entry/verify/").status_code == 404
    assert api.as_(acme.owner).post("/api/v1/platform/audit/verify").status_code in {401, 403, 404}
    assert api.as_(acme.owner).post("/api/v1/audit/verify").json()["whole"] is True


def test_the_security_page_of_settings_lists_every_walled_table(browse, acme):
    from apps.tenants.catalogue import tenant_tables

    text = browse(acme.owner).get(acme.url("settings/security/")).content.decode()
    assert [name for name in tenant_tables() if f"<code>{name}</code>" not in text] == []
    assert browse(acme.editor).get(acme.url("settings/security/")).status_code == 403


def test_the_stored_tree_gives_the_root_of_all_leaves_at_any_size(acme):
    with acting_as(acme.owner):
        fill(700)
        seal(acme.id)
        leaves = [bytes(leaf) for leaf in Seal.objects.order_by("seq").values_list("leaf", flat=True)]
        assert TreeNode.objects.count() == len(leaves) // 256 == 2
        for size in (0, 1, 255, 256, 257, 512, 600, len(leaves)):
            state = tree.CompactRange()
            for leaf in leaves[:size]:
                state.append(leaf)
            assert tree.root(size, ENTRIES) == state.root()
        for index in (0, 255, 256, 511, len(leaves) - 1):
            proof = tree.prove_inclusion(index, len(leaves), ENTRIES)
            tree.check_inclusion(proof, index, len(leaves), leaves[index], state.root())


def test_a_sealer_that_starts_anew_goes_on_with_the_same_tree(acme):
    with acting_as(acme.owner):
        for count in (300, 5, 211, 40):
            fill(count)
            seal(acme.id)
            sealer._heads.clear()
        leaves = [bytes(leaf) for leaf in Seal.objects.order_by("seq").values_list("leaf", flat=True)]
        stored = [bytes(found) for found in TreeNode.objects.order_by("index").values_list("hash", flat=True)]
    assert stored == [tree.perfect_hash(leaves[:256]), tree.perfect_hash(leaves[256:512])]


def test_a_log_that_was_sealed_before_there_was_a_tree_gets_one(acme):
    with acting_as(acme.owner):
        fill(520)
        seal(acme.id)
        before = list(TreeNode.objects.order_by("index").values_list("hash", flat=True))
        with database.superuser() as admin:
            admin.execute("DELETE FROM audit_treenode WHERE tenant_id = %s", [acme.id])
        sealer._heads.clear()
        fill(1)
        seal(acme.id)
        assert list(TreeNode.objects.order_by("index").values_list("hash", flat=True)) == before


@pytest.mark.every_tenant
def test_an_entry_that_is_missing_on_the_list_of_what_waits_is_sealed_all_the_same(acme):
    with acting_as(acme.owner):
        fill(3)
        with database.superuser() as attacker:
            attacker.execute("DELETE FROM audit_waiting WHERE tenant_id = %s", [acme.id])
        seal_forgotten()
        assert not Entry.objects.exclude(pk__in=Seal.objects.values("entry_id")).exists()
        assert verify().whole


def test_a_forged_line_on_the_list_of_what_waits_changes_nothing(acme):
    seal(acme.id)
    with acting_as(acme.owner):
        sealed = Seal.objects.count()
        Waiting(id=new_id()).save(force_insert=True)
        Waiting(id=Seal.objects.get(seq=0).entry_id).save(force_insert=True)
        assert seal(acme.id) == 0
        assert (Seal.objects.count(), Waiting.objects.count()) == (sealed, 0)


def test_a_damaged_log_is_not_continued_and_holds_up_no_other(acme, globex):
    for company in (acme, globex):
        with acting_as(company.owner):
            fill(2)
            seal(company.id)
    with database.superuser() as attacker:
        attacker.execute("DELETE FROM audit_seal WHERE tenant_id = %s AND seq = 1", [acme.id])
    sealer._heads.clear()
    for company in (acme, globex):
        with acting_as(company.owner):
            fill(1)
    seal_all()
    assert [waits(company) for company in (acme, globex)] == [1, 0]


@pytest.mark.every_tenant
def test_a_log_whose_tail_was_cut_off_is_not_sealed_over_and_holds_up_no_other(acme, globex):
    for company, count in ((acme, 300), (globex, 1)):
        with acting_as(company.owner):
            fill(count)
            seal(company.id)
            fill(1)
    with database.superuser() as attacker:
        attacker.execute("DELETE FROM audit_seal WHERE tenant_id = %s AND seq >= 100", [acme.id])
        attacker.execute("DELETE FROM audit_waiting WHERE tenant_id = %s", [globex.id])
    seal_forgotten()
    for company, end in ((acme, 100), (globex, None)):
        with acting_as(company.owner):
            assert Seal.objects.count() == (end or Entry.objects.count())


def waits(company) -> int:
    with acting_as(company.owner):
        return Waiting.objects.count()


def fill(count: int) -> None:
    """So many entries, in one transaction."""
    with transaction.atomic():
        for _ in range(count):
            record("team.created")
