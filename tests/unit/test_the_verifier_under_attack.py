"""Bundles made to deceive the verifier, or to bring it down: whose key it is, what cannot be read, and forged lines."""

from __future__ import annotations

import ast
import base64
import io
import json
import resource
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from apps.audit import keys, note, tree
from apps.audit.statements import Head, proof_text

from .test_the_verifier import (
    COULD_NOT_RUN,
    ENTRIES,
    INCOMPLETE,
    INSTANCE,
    KEY,
    ORIGIN,
    PUBLIC,
    SCRIPT,
    TAMPERED,
    TRUNCATED,
    WHOLE,
    dense,
    lines,
    made,
    reader,
    receipt,
    signed,
    verdict,
    verifier,
    written,
)

OTHER = "example.org/audit/two"
MINE, OF_ALL = note.verifier_key(ORIGIN, PUBLIC), note.verifier_key(INSTANCE, PUBLIC)
CHECKPOINT = signed(Head(ORIGIN, len(ENTRIES), tree.root(len(ENTRIES), reader(ENTRIES))))
LEAVES = [b"one", b"two", CHECKPOINT.encode(), b"three"]  # of the log of all checkpoints, as made() has it


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "bundle.zip"


def of_another_log(name: str) -> dict[str, bytes]:
    """The honest bundle of another log of the same key, whose signature lines bear this name."""
    read = reader(ENTRIES)
    text = Head(OTHER, len(ENTRIES), tree.root(len(ENTRIES), read)).text()
    checkpoint = note.sign(text, [note.Signer(name, KEY)])
    others = [b"one", checkpoint.encode()]
    whole = note.sign(Head(INSTANCE, 2, tree.root(2, reader(others))).text(), [note.Signer(name, KEY)])
    return {
        "checkpoint.txt": checkpoint.encode(),
        "keys.txt": note.verifier_key(OTHER, PUBLIC).encode() + b"\n",
        "instance.tlog-proof": proof_text(1, tree.prove_inclusion(1, 2, reader(others)), whole).encode(),
        "entries.jsonl": lines(ENTRIES),
    }


@pytest.mark.parametrize("name", [ORIGIN, OTHER])
def test_a_verifier_key_is_believed_for_the_log_of_its_name_alone(place, name):
    code, said = verdict(written(of_another_log(name), place), "--key", OF_ALL, key=MINE)
    assert (code, "not signed by a key that you trust" in said) == (TAMPERED, True)


def test_a_signature_under_another_name_than_the_logs_is_none(place):
    assert verdict(written(of_another_log(ORIGIN), place))[0] == TAMPERED


def test_with_a_key_for_every_log_it_is_said_that_the_log_was_not_named(place, tmp_path):
    written(made(ENTRIES), place)
    wanted = "give its name by --origin"
    assert wanted in verdict(place, key=keys.fingerprint(PUBLIC))[1]
    code, said = verdict(place, "--origin", ORIGIN, key=keys.fingerprint(PUBLIC))
    assert (code, wanted in said) == (WHOLE, False)
    assert wanted not in verdict(place, key=MINE)[1]
    assert verdict(place, "--origin", OTHER)[0] == TAMPERED


def test_the_tenants_own_key_leaves_the_log_of_all_checkpoints_unproved_and_its_key_proves_it(place):
    written(made(ENTRIES), place)
    code, said = verdict(place, key=MINE)
    assert (code, f"({INSTANCE}) is not signed by a key that you trust" in said) == (INCOMPLETE, True), said
    code, said = verdict(place, "--key", OF_ALL, key=MINE)
    assert (code, "number 2 of 4" in said) == (WHOLE, True), said


def test_receipts_under_a_key_or_name_of_before_are_unproved_and_not_tampering(place):
    members, old = made(ENTRIES), Ed25519PrivateKey.generate()
    members["receipts.jsonl"] += lines([dense({"receipt": receipt(ENTRIES[7], old)})])
    code, said = verdict(written(members, place))
    assert (code, "1 receipts are signed by keys" in said) == (INCOMPLETE, True), said
    raw = base64.b64encode(note.raw_public(old.public_key())).decode()
    code, said = verdict(place, "--key", raw)
    assert (code, "3 receipts name entries" in said) == (WHOLE, True), said


def test_there_are_no_more_receipts_than_entries(place):
    members = made(ENTRIES)
    members["receipts.jsonl"] *= 11
    assert verdict(written(members, place))[0] == TAMPERED


@pytest.mark.parametrize("size", [2, 3, 4])
def test_a_head_of_all_checkpoints_is_compared_where_the_bundle_can(place, tmp_path, size):
    anchor = tmp_path / f"000001-{size:012d}.checkpoint"
    written(made(ENTRIES), place)
    anchor.write_text(signed(Head(INSTANCE, size, tree.root(size, reader(LEAVES)))))
    code, said = verdict(place, "--checkpoint", str(anchor))
    assert (code, "log of all checkpoints continues" in said) == (WHOLE, True), said
    assert "that others saw" not in said
    anchor.write_text(signed(Head(INSTANCE, size, bytes(32))))
    code, said = verdict(place, "--checkpoint", str(anchor))
    assert (code, "others were shown another" in said) == (TAMPERED, True), said


def test_a_head_of_all_checkpoints_that_cannot_be_compared_is_told(place, tmp_path):
    anchor = tmp_path / "000001-000000000001.checkpoint"
    anchor.write_text(signed(Head(INSTANCE, 1, tree.root(1, reader(LEAVES)))))
    members = made(ENTRIES)
    code, said = verdict(written(members, place), "--checkpoint", str(anchor))
    assert (code, "give a checkpoint of this log" in said, "that others saw" in said) == (INCOMPLETE, True, True), said
    del members["instance.tlog-proof"]
    assert "cannot be compared" in verdict(written(members, place), "--checkpoint", str(anchor))[1]
    anchor.write_text(signed(Head(f"{INSTANCE}/2", 4, tree.root(4, reader(LEAVES)))))
    assert verdict(written(made(ENTRIES), place), "--checkpoint", str(anchor))[0] == COULD_NOT_RUN
    anchor.write_text(signed(Head(OTHER, 4, bytes(32))))
    assert verdict(place, "--checkpoint", str(anchor))[0] == COULD_NOT_RUN


def test_the_leaves_of_an_anchor_are_compared_as_older_checkpoints(place, tmp_path):
    anchor, read = tmp_path / "000001-000000000004.leaves.jsonl", reader(ENTRIES)
    written(made(ENTRIES), place)

    def kept(*heads: Head) -> tuple[int, str]:
        notes = [None, *map(signed, heads)]
        anchor.write_bytes(lines([dense({"place": at, "checkpoint": text}) for at, text in enumerate(notes)]))
        return verdict(place, "--checkpoint", str(anchor))

    old, new = Head(ORIGIN, 5, tree.root(5, read)), Head(ORIGIN, 9, tree.root(9, read))
    code, said = kept(old, Head(OTHER, 99, bytes(32)), new)
    assert (code, "(9 entries), unchanged" in said) == (WHOLE, True), said
    assert kept(old, Head(ORIGIN, 9, bytes(32)))[0] == TAMPERED
    assert kept(Head(ORIGIN, 5, bytes(32)), new)[0] == TAMPERED
    assert kept(old, new, Head(ORIGIN, 9, bytes(32)))[0] == TAMPERED
    assert kept(Head(ORIGIN, 22, bytes(32)))[0] == TRUNCATED
    code, said = kept(Head(OTHER, 99, bytes(32)))
    assert (code, "holds no checkpoint of this log" in said) == (INCOMPLETE, True), said
    anchor.write_text(anchor.read_text() + "\n{")
    assert verdict(place, "--checkpoint", str(anchor))[0] == COULD_NOT_RUN


def test_a_checkpoint_or_receipt_that_no_key_was_given_for_could_not_be_checked(place, tmp_path):
    kept = tmp_path / "kept.txt"
    written(made(ENTRIES), place)
    kept.write_text(signed(Head(INSTANCE, 4, bytes(32))))
    assert verdict(place, "--checkpoint", str(kept), key=MINE)[0] == COULD_NOT_RUN
    kept.write_text(receipt(ENTRIES[7], Ed25519PrivateKey.generate()))
    assert verdict(place, "--receipt", str(kept))[0] == COULD_NOT_RUN


SURROGATE = b'{"receipt":"orkestra-receipt/v1\\n\\ud800\\n\\n\\u2014 \\ud800 AAAAAAAA\\n"}\n'


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("receipts.jsonl", SURROGATE), ("receipts.jsonl", b'{"receipt":' + b"1" * 500_000 + b"}\n"),
        ("manifest.json", b"[]"), ("manifest.json", b"1" * 5000), ("manifest.json", b'{"filters":' + b"[" * 100_000),
        ("private.jsonl", b'{"entry":"1","name":"a","salt":"00","value":"\\ud800"}\n'), ("checkpoint.txt", b"\n\n\n"),
        ("instance.tlog-proof", made(ENTRIES)["instance.tlog-proof"].replace(b"index 2", b"index " + b"1" * 5000)),
        ("pruned.txt", b"00" * 32 + b"\n"), ("pruned.txt", lines([b"00" * 32] * 5000)),
    ],
)  # fmt: skip
def test_texts_that_cannot_be_read_are_tampering_and_no_traceback(place, name, data):
    members = made(ENTRIES)
    if name == "private.jsonl":
        members["entries.jsonl"] = b'{"private":[],' + members["entries.jsonl"][1:]
    assert verdict(written(members | {name: data}, place))[0] == TAMPERED


@pytest.mark.parametrize("option", ["--checkpoint", "--receipt", "--key"])
def test_what_the_user_gives_and_nobody_can_read_could_not_run(place, tmp_path, option):
    written(made(ENTRIES), place)
    (tmp_path / "latin").write_bytes(b"\xff")
    other = X25519PrivateKey.generate().public_key()
    (tmp_path / "pem").write_bytes(other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    for given in (
        "a\0b",
        str(tmp_path / "latin"),
        str(tmp_path),
        *([str(tmp_path / "pem")] if option == "--key" else []),
    ):
        assert verdict(place, option, given)[0] == COULD_NOT_RUN, given


def test_a_key_in_base64_may_hold_any_sign(place):
    plus = base64.b64decode("+abcdefgh+" + base64.b64encode(PUBLIC).decode()[10:])
    code, said = verdict(written(made(ENTRIES), place), key=base64.b64encode(plus).decode())
    assert (code, "not signed by a key" in said) == (TAMPERED, True), said


def test_a_bundle_that_cannot_be_opened_could_not_run(place):
    written(made(ENTRIES), place)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, before[1]))
    try:
        code, said = verdict(place)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert (code, "cannot be read" in said) == (COULD_NOT_RUN, True), said


def test_a_verdict_that_nobody_can_hear_is_none(place):
    command = [sys.executable, "-I", str(SCRIPT), str(written(made(ENTRIES), place)), "--key", MINE]
    with open("/dev/full", "w") as full:
        assert subprocess.run(command, stdout=full, stderr=subprocess.DEVNULL, check=False).returncode >= COULD_NOT_RUN


def test_what_is_unforeseen_is_no_verdict_on_the_log(place):
    """Without the packages of this environment there is no cryptography."""
    command = [sys.executable, "-I", "-S", str(SCRIPT), str(written(made(ENTRIES), place)), "--key", MINE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout[:14], done.stderr) == (COULD_NOT_RUN, "COULD NOT RUN:", "")


FORGED = "x)\x1b[2J\x1b[H\nWHOLE: 21 entries are, byte for byte, what was signed\u202e\ud800\n"


def test_no_text_of_the_bundle_writes_a_line_or_moves_the_cursor(place):
    members = made(ENTRIES, [1, 4])
    members["manifest.json"] = json.dumps({"filters": FORGED}).encode()
    code, said = verdict(written(members, place))
    assert code == INCOMPLETE
    assert all(line.isprintable() for line in said.splitlines())
    assert sum("WHOLE" in line for line in said.split("\n")) == 1
    assert not said.startswith("WHOLE")
    assert "\nWHOLE" not in said
    evil = zipfile.ZipInfo("x\x1b[2J\nWHOLE: y")
    with zipfile.ZipFile(place, "a") as file:
        file.writestr(evil, b"")
    assert all(line.isprintable() and not line.startswith("WHOLE") for line in verdict(place)[1].splitlines())


def test_a_log_whose_name_is_signed_and_evil_is_shown_and_not_obeyed(place):
    name = "example.org/audit/\x1b[2J\u202e"
    text = note.sign(Head(name, 21, tree.root(21, reader(ENTRIES))).text(), [note.Signer(name, KEY)])
    code, said = verdict(written({"checkpoint.txt": text.encode(), "entries.jsonl": lines(ENTRIES)}, place))
    assert (code, "\\x1b[2J\\u202e" in said) == (INCOMPLETE, True)
    assert all(line.isprintable() for line in said.splitlines())


def test_a_terminal_of_few_signs_is_no_traceback(place):
    members = made(ENTRIES, [1, 4]) | {"manifest.json": '{"filters":"ü"}'.encode()}
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    command = [str(written(members, place)), "--key", MINE, "--origin", "ü"]
    assert verifier.main(command, out) == TAMPERED
    assert b"not \\xfc" in out.buffer.getvalue()


def test_it_is_written_for_python_3_9():
    parsed = ast.parse(SCRIPT.read_text(), feature_version=(3, 9))
    assert [node.lineno for node in ast.walk(parsed) if isinstance(node, ast.keyword) and node.arg == "strict"] == []


def test_long_entries_fold_as_short_ones_do(place):
    """Shares end by bytes too, and the places after them are no multiple of a share."""
    entries = [b"%d" % number + b"x" * (3000 if number % 3000 < 2000 else 1) for number in range(21_000)]
    written(made(ENTRIES[:5] + entries), place)
    for count in ("1", "2"):
        command = [
            sys.executable,
            "-I",
            str(SCRIPT),
            str(place),
            "--key",
            keys.fingerprint(PUBLIC),
            "--processes",
            count,
        ]
        assert subprocess.run(command, capture_output=True, check=False).returncode == WHOLE
