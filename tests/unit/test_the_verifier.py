"""The standalone verifier: whole bundles are whole, and ten thousand random changes are found, every one of them."""

from __future__ import annotations

import base64
import importlib.util
import io
import json
import os
import random
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from apps.audit import canonical, keys, note, tree
from apps.audit.statements import Head, Receipt, proof_text, text_of
from apps.tenants.ids import new_id

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "orkestra_verify.py"
SEED = 20261124
CASES = int(os.environ.get("ORKESTRA_FUZZ_CASES", "10000"))
WHOLE, TAMPERED, TRUNCATED, INCOMPLETE, COULD_NOT_RUN = range(5)
ORIGIN, INSTANCE = "example.org/audit/one", "example.org/audit"
EVIDENCE = ("entries.jsonl", "checkpoint.txt", "proofs.jsonl", "receipts.jsonl", "instance.tlog-proof")


def loaded():
    spec = importlib.util.spec_from_file_location("orkestra_verify", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


verifier = loaded()
KEY = Ed25519PrivateKey.generate()
PUBLIC = note.raw_public(KEY.public_key())


def entry(number: int) -> bytes:
    time = f"2026-11-24T10:{number // 60:02d}:{number % 60:02d}.000000Z"
    facts = {"n": number, "text": "ü – ✓"}
    return canonical.encode({"action": "form.created", "facts": facts, "id": str(new_id()), "time": time})


def reader(entries: list[bytes]) -> tree.HashReader:
    leaves = [tree.leaf_hash(body) for body in entries]
    return lambda nodes: [tree.perfect_hash(leaves[index << level : (index + 1) << level]) for level, index in nodes]


def signed(head: Head, key: Ed25519PrivateKey = KEY) -> str:
    return note.sign(head.text(), [note.Signer(head.origin, key)])


def made(entries: list[bytes], chosen: list[int] | None = None, key: Ed25519PrivateKey = KEY) -> dict[str, bytes]:
    """The members of an honest bundle; `chosen` makes it a selection."""
    read = reader(entries)
    checkpoint = signed(Head(ORIGIN, len(entries), tree.root(len(entries), read)), key)
    others = [b"one", b"two", checkpoint.encode(), b"three"]
    whole = signed(Head(INSTANCE, 4, tree.root(4, reader(others))), key)
    told = [entries[1], entries[4]]
    receipts = [receipt(body, key) for body in told]
    found = {
        "manifest.json": json.dumps({"filters": {}}).encode(),
        "checkpoint.txt": checkpoint.encode(),
        "keys.txt": note.verifier_key(ORIGIN, note.raw_public(key.public_key())).encode() + b"\n",
        "instance.tlog-proof": proof_text(2, tree.prove_inclusion(2, 4, reader(others)), whole).encode(),
        "entries.jsonl": lines(entries if chosen is None else [entries[at] for at in chosen]),
        "receipts.jsonl": lines([dense({"receipt": text}) for text in receipts]),
    }
    if chosen is not None:
        proofs = [(at, tree.prove_inclusion(at, len(entries), read)) for at in chosen]
        found["proofs.jsonl"] = lines(
            [dense({"index": at, "proof": [text_of(p) for p in proof]}) for at, proof in proofs]
        )
    return found


def receipt(body: bytes, key: Ed25519PrivateKey = KEY) -> str:
    said = json.loads(body)
    text = Receipt(ORIGIN, said["id"], tree.leaf_hash(body), said["time"]).text()
    return note.sign(text, [note.Signer(ORIGIN, key)])


def dense(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def lines(rows: list[bytes]) -> bytes:
    return b"".join(row + b"\n" for row in rows)


def written(members: dict[str, bytes], path: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return path


def verdict(path: Path, *more: str, key: str = base64.b64encode(PUBLIC).decode()) -> tuple[int, str]:
    said = io.StringIO()
    return verifier.main([str(path), "--key", key, "--processes", "1", *more], said), said.getvalue()


ENTRIES = [entry(number) for number in range(21)]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "bundle.zip"


def test_an_honest_log_is_whole_and_says_what_it_does_not_prove(place):
    code, said = verdict(written(made(ENTRIES), place))
    assert code == WHOLE, said
    assert said.startswith("WHOLE: 21 entries")
    assert "2 receipts name entries" in said
    assert "number 2 of 4 in the log of all checkpoints" in said
    assert "Not proved:" in said


@pytest.mark.parametrize("form", ["raw", "fingerprint", "verifier key", "pem"])
def test_the_key_is_taken_in_four_forms(place, tmp_path, form):
    pem = tmp_path / "key.pem"
    pem.write_bytes(KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    given = {
        "raw": base64.b64encode(PUBLIC).decode(),
        "fingerprint": keys.fingerprint(PUBLIC),
        "verifier key": note.verifier_key(ORIGIN, PUBLIC),
        "pem": str(pem),
    }[form]
    members = made(ENTRIES)
    if form == "verifier key":
        del members["instance.tlog-proof"]
    assert verdict(written(members, place), key=given)[0] == (INCOMPLETE if form == "verifier key" else WHOLE)


def test_a_key_that_lies_in_the_bundle_is_not_believed(place):
    other = Ed25519PrivateKey.generate()
    code, said = verdict(written(made(ENTRIES, key=other), place))
    assert (code, "not signed by a key that you trust" in said) == (TAMPERED, True)


def test_unknown_signatures_are_ignored_and_any_known_one_suffices(place):
    members = made(ENTRIES)
    text = members["checkpoint.txt"].decode().partition("\n\n")[0] + "\n"
    both = note.sign(text, [note.Signer(ORIGIN, Ed25519PrivateKey.generate()), note.Signer(ORIGIN, KEY)])
    members["checkpoint.txt"] = both.encode()
    del members["instance.tlog-proof"]
    assert verdict(written(members, place))[0] == INCOMPLETE


def test_a_selection_is_incomplete_unless_one_was_asked_for(place):
    written(made(ENTRIES, [1, 4, 17]), place)
    assert verdict(place)[0] == INCOMPLETE
    assert verdict(place, "--selection")[0] == WHOLE


def test_an_older_checkpoint_must_be_a_prefix(place, tmp_path):
    old = tmp_path / "old.txt"
    written(made(ENTRIES), place)
    old.write_text(signed(Head(ORIGIN, 9, tree.root(9, reader(ENTRIES)))))
    code, said = verdict(place, "--checkpoint", str(old))
    assert (code, "The log continues" in said) == (WHOLE, True)
    old.write_text(signed(Head(ORIGIN, 9, tree.root(9, reader(ENTRIES[1:])))))
    assert verdict(place, "--checkpoint", str(old))[0] == TAMPERED
    old.write_text(signed(Head(ORIGIN, 22, bytes(32))))
    assert verdict(place, "--checkpoint", str(old))[0] == TRUNCATED
    old.write_text(signed(Head(ORIGIN, 21, bytes(32))))
    assert verdict(place, "--checkpoint", str(old))[0] == TAMPERED
    old.write_text("no note")
    assert verdict(place, "--checkpoint", str(old))[0] == TAMPERED
    assert verdict(place, "--checkpoint", str(tmp_path / "none"))[0] == COULD_NOT_RUN


def test_a_receipt_whose_entry_was_dropped_is_found(place, tmp_path):
    mine = tmp_path / "receipt.txt"
    written(made(ENTRIES), place)
    mine.write_text(receipt(ENTRIES[7]))
    assert verdict(place, "--receipt", str(mine))[0] == WHOLE
    mine.write_text(receipt(entry(3)))
    code, said = verdict(place, "--receipt", str(mine))
    assert (code, "dropped or changed" in said) == (TAMPERED, True)
    mine.write_text(receipt(entry(59)))
    assert verdict(place, "--receipt", str(mine))[0] == INCOMPLETE


def test_cutting_the_end_is_called_truncated(place):
    members = made(ENTRIES)
    del members["receipts.jsonl"]
    members["entries.jsonl"] = lines(ENTRIES[:-3])
    assert verdict(written(members, place))[0] == TRUNCATED


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("../entries.jsonl", b""), ("/etc/passwd", b""), ("entries.jsonl/", b""), ("extra.txt", b""),
        ("entries.jsonl", b"x" * (2 << 20)), ("checkpoint.txt", b"\xff\xfe"), ("receipts.jsonl", b"{}\n"),
        ("receipts.jsonl", b"[" * 100_000 + b"\n"), ("manifest.json", b"{"), ("instance.tlog-proof", b"x"),
    ],
)  # fmt: skip
def test_strange_members_are_tampering_and_never_leave_the_bundle(place, name, data):
    members = made(ENTRIES)
    members.pop("receipts.jsonl")
    assert verdict(written(members | {name: data}, place))[0] == TAMPERED


def test_a_bomb_is_refused_before_it_unpacks(place):
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in made(ENTRIES).items():
            file.writestr(name, data if name != "entries.jsonl" else b"\n" * (1 << 28))
    code, said = verdict(place)
    assert (code, "would unpack to more" in said) == (TAMPERED, True)


def test_two_members_of_one_name_are_refused(place):
    written(made(ENTRIES), place)
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(place, "a") as file:
        file.writestr("entries.jsonl", b"")
    assert verdict(place)[0] == TAMPERED


def test_whatever_is_no_zip_is_tampering_and_a_missing_file_could_not_run(place, tmp_path):
    place.write_bytes(b"PK\x03\x04 nothing")
    assert verdict(place)[0] == TAMPERED
    assert verdict(tmp_path / "none.zip")[0] == COULD_NOT_RUN
    assert verdict(written(made(ENTRIES), place), key="what?")[0] == COULD_NOT_RUN


def test_it_runs_as_a_program_with_several_processes(place):
    written(made([entry(number) for number in range(70_000)]), place)
    command = [sys.executable, "-I", str(SCRIPT), str(place), "--key", keys.fingerprint(PUBLIC), "--processes", "2"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == WHOLE, done.stdout + done.stderr
    assert subprocess.run(command[:4], capture_output=True, check=False).returncode == COULD_NOT_RUN


@pytest.mark.parametrize("name", ["proofs.jsonl", "receipts.jsonl"])
def test_a_blank_between_the_words_of_a_line_is_a_change_too(place, name):
    members = made(ENTRIES, [0, 1, 4, 11, 20])
    assert verdict(written(members, place), "--selection")[0] == WHOLE
    members[name] = members[name].replace(b":", b": ", 1)
    assert verdict(written(members, place), "--selection")[0] == TAMPERED


def changed(data: bytes, dice: random.Random) -> bytes:
    """One byte is another one, gone or new."""
    at = dice.randrange(len(data))
    kind = dice.randrange(4)
    if kind == 0:
        return data[:at] + data[at + 1 :]
    if kind == 1:
        return data[:at] + bytes([dice.randrange(256)]) + data[at:]
    return data[:at] + bytes([data[at] ^ dice.randrange(1, 256)]) + data[at + 1 :]


def reordered(data: bytes, dice: random.Random) -> bytes:
    """A row is gone, doubled, foreign or elsewhere; or the tail is cut."""
    rows = data.splitlines(keepends=True)
    at, kind = dice.randrange(len(rows)), dice.randrange(5)
    if kind == 0:
        return b"".join(rows[:at] + rows[at + 1 :])
    if kind == 1:
        return b"".join([*rows[:at], rows[at], *rows[at:]])
    if kind == 2:
        return b"".join([*rows[:at], entry(dice.randrange(60)) + b"\n", *rows[at:]])
    if kind == 3:
        other = dice.choice([place for place in range(len(rows)) if place != at])
        rows[at], rows[other] = rows[other], rows[at]
        return b"".join(rows)
    return b"".join(rows[: len(rows) - dice.randrange(1, len(rows))])


@pytest.mark.parametrize("part", range(4))
def test_ten_thousand_random_changes_of_bundles_are_all_found(place, part):
    dice = random.Random(SEED + part)
    whole, chosen = made(ENTRIES), made(ENTRIES, [0, 1, 4, 11, 20])
    options = verifier.parse(
        [str(place), "--key", base64.b64encode(PUBLIC).decode(), "--processes", "1", "--selection"]
    )
    for number in range(CASES // 4):
        members = dict(whole if dice.randrange(2) else chosen)
        name = dice.choice([name for name in EVIDENCE if name in members])
        if name == "entries.jsonl" and dice.randrange(2):
            members[name] = reordered(members[name], dice)
        else:
            members[name] = changed(members[name], dice)
        written(members, place)
        code, said = verifier.examined(options)
        assert code in {TAMPERED, TRUNCATED, INCOMPLETE}, f"part {part}, case {number}, {name}: {said}"
