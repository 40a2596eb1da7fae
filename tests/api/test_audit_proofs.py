"""Checkpoints, proofs, receipts and exports through the doors that integrations and browsers use."""

from __future__ import annotations

import base64
import io
import json
import zipfile

import pytest

from apps.audit import note, tree
from apps.audit.models import Entry, Seal
from apps.audit.statements import Head, Receipt, hash_of
from tests import database
from tests.cast import acting_as
from tests.forms import published, step
from tests.unit.test_audit import fill


def verifiers(answer) -> list[note.Verifier]:
    found = []
    for line in answer["keys"]:
        name, _identity, encoded = line.split("+", 2)
        found.append(note.Verifier(name, base64.b64decode(encoded)[1:]))
    return found


def head_of(answer) -> Head:
    return Head.read(note.open_note(answer["checkpoint"], verifiers(answer)))


def members(response) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(b"".join(response.streaming_content))) as found:
        assert found.testzip() is None
        return {name: found.read(name) for name in found.namelist()}


def test_the_checkpoint_covers_what_was_just_done_and_stands_in_the_instance_log(api, acme):
    with acting_as(acme.owner):
        fill(3)
    found = api.as_(acme.owner).get("/api/v1/audit/checkpoint").json()
    head = head_of(found)
    with acting_as(acme.owner):
        assert (head.size, head.origin) == (Entry.objects.count(), f"localhost/audit/{acme.id}")
    whole = head_of(found["instance"])
    proof = [hash_of(part) for part in found["instance"]["proof"]]
    leaf = tree.leaf_hash(found["checkpoint"].encode())
    tree.check_inclusion(proof, found["instance"]["index"], whole.size, leaf, whole.root)


def test_the_checkpoint_as_plain_text_is_the_note_alone(api, acme):
    answer = api.as_(acme.owner).get("/api/v1/audit/checkpoint", headers={"Accept": "text/plain"})
    assert answer["Content-Type"].startswith("text/plain")
    assert note.split(answer.content.decode())[0].startswith("localhost/audit/")


def test_every_entry_has_a_proof_that_leads_to_the_signed_root(api, acme):
    door = api.as_(acme.owner)
    with acting_as(acme.owner):
        fill(3)
        entries = list(Entry.objects.values_list("pk", flat=True))
    for entry in entries:
        found = door.get("/api/v1/audit/proof", {"entry": str(entry)}).json()
        head = head_of(found)
        leaf = tree.leaf_hash(base64.b64decode(found["body"]))
        tree.check_inclusion([hash_of(part) for part in found["proof"]], found["index"], head.size, leaf, head.root)


def test_two_checkpoints_are_consistent(api, acme):
    door = api.as_(acme.owner)
    first = head_of(door.get("/api/v1/audit/checkpoint").json())
    with acting_as(acme.owner):
        fill(4)
    found = door.get("/api/v1/audit/consistency", {"from": first.size}).json()
    second = head_of(found)
    assert second.size == first.size + 4
    proof = [hash_of(part) for part in found["proof"]]
    tree.check_consistency(proof, first.size, second.size, first.root, second.root)
    assert found["tlog_consistency"].startswith(f"old {first.size}\n")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("proof", 400), ("proof?entry=x", 400), ("proof?entry=00000000-0000-7000-8000-000000000001", 404),
        ("consistency", 400), ("consistency?from=9999999", 400), ("consistency?from=2&to=1", 400),
        ("consistency?from=-1", 400), ("export?since=x", 400), ("export?entry=x", 400), ("receipts?target=x", 400),
    ],
)  # fmt: skip
def test_what_cannot_be_proved_is_refused_by_name(api, acme, path, status):
    assert api.as_(acme.owner).get(f"/api/v1/audit/{path}").status_code == status


@pytest.mark.parametrize("path", ["checkpoint", "proof?entry={}", "consistency?from=0", "export"])
def test_only_who_may_read_the_log_gets_proofs(api, acme, path):
    with acting_as(acme.owner):
        path = path.format(Entry.objects.first().pk)
    assert api.as_(acme.editor).get(f"/api/v1/audit/{path}").status_code == 403


def test_a_rivals_entry_has_no_proof_and_no_row_in_an_export(api, acme, globex):
    with acting_as(globex.owner):
        theirs = Entry.objects.first().pk
    door = api.as_(acme.owner)
    assert door.get("/api/v1/audit/proof", {"entry": str(theirs)}).status_code == 404
    assert members(door.get("/api/v1/audit/export", {"entry": str(theirs)}))["entries.jsonl"] == b""
    assert str(globex.id).encode() not in members(door.get("/api/v1/audit/export"))["entries.jsonl"]


def test_the_whole_log_is_exported_byte_for_byte_with_its_own_export_last(api, acme):
    found = members(api.as_(acme.owner).get("/api/v1/audit/export"))
    lines = found["entries.jsonl"].splitlines()
    assert json.loads(lines[-1])["action"] == "audit.exported"
    state = tree.CompactRange()
    for line in lines:
        state.append(tree.leaf_hash(line))
    head = Head.read(note.split(found["checkpoint.txt"].decode())[0])
    assert (head.size, head.root) == (state.size, state.root())
    assert "proofs.jsonl" not in found


def test_a_selection_is_exported_with_a_proof_for_each_entry(api, acme):
    with acting_as(acme.owner):
        fill(300)
    found = members(api.as_(acme.owner).get("/api/v1/audit/export", {"action": "team.created"}))
    lines, proofs = (found[name].splitlines() for name in ("entries.jsonl", "proofs.jsonl"))
    assert len(lines) == len(proofs) == 300
    head = Head.read(note.split(found["checkpoint.txt"].decode())[0])
    for line, text in zip(lines, proofs, strict=True):
        said = json.loads(text)
        proof = [hash_of(part) for part in said["proof"]]
        tree.check_inclusion(proof, said["index"], head.size, tree.leaf_hash(line), head.root)


def test_a_sender_holds_a_receipt_for_what_was_sent_before_it_is_sealed(api, browse, acme):
    form = published(api, acme.owner, step("review", acme.reviewer))
    door = api.as_(acme.editor)
    data = {"item": "Spindle", "total": 1}
    sent = door.post(f"/api/v1/forms/{form}/submissions", {"data": data})
    assert sent.status_code == 201, sent.content
    (found,) = door.get("/api/v1/audit/receipts", {"target": sent.json()["id"]}).json()["results"]
    with acting_as(acme.owner):
        entry = Entry.objects.get(pk=found["entry"])
        assert not Seal.objects.filter(entry=entry).exists()
        said = Receipt.read(note.split(found["receipt"])[0])
        assert (said.entry, said.leaf) == (entry.pk, tree.leaf_hash(bytes(entry.body)))
    text = browse(acme.editor).get(acme.url(f"submissions/{sent.json()['id']}/")).content.decode()
    assert f"/receipts/{found['id']}/" in text
    kept = browse(acme.editor).get(acme.url(f"receipts/{found['id']}/"))
    assert kept.content.decode() == found["receipt"]
    assert browse(acme.reviewer).get(acme.url(f"receipts/{found['id']}/")).status_code == 404
    assert api.as_(acme.reviewer).get(f"/api/v1/audit/receipts/{found['id']}").status_code == 404
    assert api.as_(acme.owner).get(f"/api/v1/audit/receipts/{found['id']}").status_code == 200


def test_whoever_decides_holds_a_receipt_for_it(api, browse, acme):
    form = published(api, acme.owner, step("review", acme.reviewer))
    sent = api.as_(acme.editor).post(f"/api/v1/forms/{form}/submissions", {"data": {"item": "Spindle", "total": 1}})
    door = api.as_(acme.reviewer)
    (task,) = door.get("/api/v1/tasks").json()["results"]
    decided = {"verdict": "approve", "revision": task["revision"]}
    assert door.post(f"/api/v1/tasks/{task['id']}/decide", decided).status_code == 201
    (found,) = door.get("/api/v1/audit/receipts", {"target": sent.json()["id"]}).json()["results"]
    with acting_as(acme.owner):
        entry = Entry.objects.get(pk=found["entry"])
    said = Receipt.read(note.split(found["receipt"])[0])
    assert (entry.action, said.entry, said.leaf) == (
        "submission.decided", entry.pk, tree.leaf_hash(bytes(entry.body)),
    )  # fmt: skip
    assert f"/receipts/{found['id']}/" in browse(acme.reviewer).get(acme.url(f"tasks/{task['id']}/")).content.decode()
    kept = browse(acme.reviewer).get(acme.url(f"receipts/{found['id']}/"))
    assert kept.content.decode() == found["receipt"]
    assert browse(acme.editor).get(acme.url(f"receipts/{found['id']}/")).status_code == 404


def test_each_row_of_the_page_has_its_proof_as_a_download(browse, acme):
    browser = browse(acme.owner)
    text = browser.get(acme.url("settings/audit-log/")).content.decode()
    with acting_as(acme.owner):
        entry = Entry.objects.exclude(action="audit.viewed").order_by("-time").first()
    address = acme.url(f"settings/audit-log/{entry.pk}/proof/")
    assert address in text
    found = members(browser.get(address))
    assert found["entries.jsonl"] == bytes(entry.body) + b"\n"
    assert len(found["proofs.jsonl"].splitlines()) == 1
    assert browse(acme.editor).get(address).status_code == 403


def test_a_damaged_log_is_neither_signed_nor_proved(api, acme):
    door = api.as_(acme.owner)
    assert door.get("/api/v1/audit/checkpoint").status_code == 200
    with acting_as(acme.owner):
        entry = Seal.objects.get(seq=1).entry_id
    with database.superuser() as attacker:
        attacker.execute("UPDATE audit_entry SET body = set_byte(body, 9, 64) WHERE id = %s", [entry])
        attacker.execute("UPDATE audit_seal SET leaf = sha256(leaf) WHERE entry_id = %s", [entry])
    assert door.get("/api/v1/audit/proof", {"entry": str(entry)}).status_code == 409
    assert door.get("/api/v1/audit/checkpoint").status_code == 409
