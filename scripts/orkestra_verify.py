#!/usr/bin/env python3
"""Verify an exported audit log of Orkestra, with no server and none of Orkestra's code.

    python orkestra_verify.py --key KEY bundle.zip

KEY is what somebody you trust told you, never what lies in the bundle: the fingerprint of the public key (64 hex
digits), a verifier key (`name+id+base64`), 32 bytes as base64, or a PEM file. Needs Python 3.9 or newer and the package
`cryptography`; everything else is the standard library.

Exit codes: 0 whole; 1 tampered (a member that cannot be read too); 2 truncated: shorter than what was signed or than an
older checkpoint that you gave; 3 incomplete: what is there verifies, and something that a whole proof needs is missing
(a selection is incomplete unless you say by --selection that you asked for one); 4 could not run.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import concurrent.futures
import hashlib
import hmac
import json
import os
import sys
import zipfile
from collections.abc import Iterator
from typing import IO, Any, TextIO

WHOLE, TAMPERED, TRUNCATED, INCOMPLETE, COULD_NOT_RUN = range(5)
WORDS = {WHOLE: "WHOLE", TAMPERED: "TAMPERED", TRUNCATED: "TRUNCATED", INCOMPLETE: "INCOMPLETE"}
ENTRIES, PROOFS, CHECKPOINT, INSTANCE = "entries.jsonl", "proofs.jsonl", "checkpoint.txt", "instance.tlog-proof"
RECEIPTS, KEYS, MANIFEST, PRIVATE = "receipts.jsonl", "keys.txt", "manifest.json", "private.jsonl"
PRUNED = "pruned.txt"
MEMBERS = {ENTRIES, PROOFS, CHECKPOINT, INSTANCE, RECEIPTS, KEYS, MANIFEST, PRIVATE, PRUNED, "README.txt"}
SMALL = 1 << 20  # members that are read whole
LONGEST_LINE = 1 << 20
LARGEST_MEMBER = 1 << 40
MOST_RATIO = 400  # deflate reaches about 1000; a log of our own about 12
CHUNK = 1 << 20
SHARE = 1 << 13  # leaves that one process folds at a time; a few megabytes stay in its cache
PRUNING = b'{"action":"audit.pruned",'  # how an entry begins that tells of it; keys are sorted
EMPTY_ROOT = hashlib.sha256(b"").digest()
_sha = hashlib.sha256
Head = tuple[str, int, bytes]


class Fault(Exception):
    """Something does not hold; `code` is the exit code."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


# The tree: RFC 6962, section 2.1, and RFC 9162, sections 2.1.3.2 and 2.1.4.2.


def leaf_hash(entry: bytes) -> bytes:
    return _sha(b"\0" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return _sha(b"\1" + left + right).digest()


def perfect(row: list[bytes]) -> bytes:
    """The root over 2^k hashes."""
    while len(row) > 1:
        row = [_sha(b"\1" + left + right).digest() for left, right in zip(row[::2], row[1::2])]
    return row[0]


def fold_lines(lines: bytes) -> tuple[bytes, bytes | None]:
    """(leaves, root) of a full share, or (leaves, None) of the last one; runs in any process, so it takes one text."""
    leaves = [_sha(b"\0" + line).digest() for line in lines.split(b"\n")]
    return b"".join(leaves), perfect(leaves) if len(leaves) == SHARE else None


class Tree:
    """The roots of perfect subtrees, largest first."""

    def __init__(self) -> None:
        self.size = 0
        self.peaks: list[bytes] = []

    def append(self, root: bytes, level: int = 0) -> None:
        bits = self.size >> level
        while bits & 1:
            root, bits = node_hash(self.peaks.pop(), root), bits >> 1
        self.peaks.append(root)
        self.size += 1 << level

    def root(self) -> bytes:
        if not self.peaks:
            return EMPTY_ROOT
        root = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            root = node_hash(peak, root)
        return root


def check_inclusion(proof: list[bytes], index: int, size: int, leaf: bytes, root: bytes) -> None:
    if not 0 <= index < size:
        raise Fault(TAMPERED, f"entry #{index} is beyond the signed size {size}")
    at, last, found = index, size - 1, leaf
    for other in proof:
        if last == 0:
            raise Fault(TAMPERED, f"the proof of entry #{index} is too long")
        if at & 1 or at == last:
            found = node_hash(other, found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, other)
        at, last = at >> 1, last >> 1
    if last or found != root:
        raise Fault(TAMPERED, f"entry #{index} is not what was signed: its proof leads to another root")


def as_written(line: bytes, names: tuple[str, ...], what: str) -> list[Any]:
    """These values of a line of JSON that stands byte for byte as an export writes it."""
    try:
        said = json.loads(line)
        if json.dumps(said, separators=(",", ":")).encode() == line:
            return [said[name] for name in names]
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    raise Fault(TAMPERED, f"{what} cannot be read")


# Signed notes (c2sp.org/signed-note), checkpoints (c2sp.org/tlog-checkpoint) and receipts.


def b64(text: str, what: str) -> bytes:
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Fault(TAMPERED, f"{what} is not base64") from None
    if base64.b64encode(found).decode() != text:
        raise Fault(TAMPERED, f"{what} is not base64 as it should be")
    return found


def hash_of(text: object, what: str) -> bytes:
    found = b64(text, what) if isinstance(text, str) else b""
    if len(found) != 32:
        raise Fault(TAMPERED, f"{what} is not a hash")
    return found


def key_id(name: str, public: bytes) -> bytes:
    return _sha(name.encode() + b"\n\x01" + public).digest()[:4]


class Trust:
    """The keys that the user trusts; nothing from the bundle gets in except what has a fingerprint that they named."""

    def __init__(self, given: list[str]) -> None:
        self.publics: set[bytes] = set()
        self.names: dict[bytes, set[str]] = {}
        self.fingerprints: set[str] = set()
        for text in given:
            self._add(text.strip())

    def _add(self, text: str) -> None:
        if os.path.isfile(text):
            self.publics.add(read_pem(text))
        elif len(text) == 64 and all(digit in "0123456789abcdefABCDEF" for digit in text):
            self.fingerprints.add(text.lower())
        elif text.count("+") >= 2 and len(text.split("+", 2)[1]) == 8:
            name, identity, encoded = text.split("+", 2)
            public = given_bytes(encoded)[1:]
            if len(public) != 32 or key_id(name, public).hex() != identity:
                raise Fault(COULD_NOT_RUN, "the verifier key that you gave is damaged")
            self.names.setdefault(public, set()).add(name)
        else:
            public = given_bytes(text)
            if len(public) != 32:
                raise Fault(COULD_NOT_RUN, "a key is a fingerprint, a verifier key, 32 bytes as base64, or a PEM file")
            self.publics.add(public)

    def admit(self, lines: str) -> None:
        """Take those keys of the bundle whose fingerprint the user gave."""
        for line in lines.splitlines():
            encoded = line.split("+", 2)[-1]
            try:
                public = base64.b64decode(encoded, validate=True)[1:]
            except (binascii.Error, ValueError):
                continue
            if len(public) == 32 and _sha(public).hexdigest() in self.fingerprints:
                self.publics.add(public)

    def keys_for(self, name: str) -> dict[bytes, bytes]:
        named = {public for public, names in self.names.items() if name in names}
        return {key_id(name, public): public for public in self.publics | named}


def given_bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Fault(COULD_NOT_RUN, f"this is neither a key nor a file: {text[:60]}") from None


def read_pem(path: str) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

    try:
        with open(path, "rb") as file:
            key = load_pem_public_key(file.read(SMALL))
        return key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    except (ValueError, TypeError, OSError) as error:
        raise Fault(COULD_NOT_RUN, f"{path} holds no Ed25519 public key ({type(error).__name__})") from None


def open_note(note: str, trust: Trust, what: str) -> str:
    """The text of a note that a trusted key has signed; unknown keys are ignored."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    text, empty, lines = note.rpartition("\n\n")
    if not empty or not lines.endswith("\n"):
        raise Fault(TAMPERED, f"{what} is not a signed note")
    text, signed = text + "\n", False
    for line in lines[:-1].split("\n"):
        name, _space, encoded = line.removeprefix("— ").partition(" ") if line.startswith("— ") else ("", "", "")
        signature = b64(encoded, f"a signature of {what}")
        public = trust.keys_for(name).get(signature[:4])
        if public is None:
            continue
        try:
            Ed25519PublicKey.from_public_bytes(public).verify(signature[4:], text.encode())
        except InvalidSignature:
            raise Fault(TAMPERED, f"{what} is not what was signed: the signature does not fit") from None
        signed = True
    if not signed:
        raise Fault(TAMPERED, f"{what} is not signed by a key that you trust")
    return text


def read_head(text: str, what: str) -> Head:
    """(origin, size, root) of a checkpoint."""
    lines = text.split("\n")
    if len(lines) < 4 or not lines[1].isascii() or not lines[1].isdigit() or (len(lines[1]) > 1 and lines[1][0] == "0"):
        raise Fault(TAMPERED, f"{what} is not a checkpoint")
    return lines[0], int(lines[1]), hash_of(lines[2], f"the root of {what}")


def read_receipt(note: str, trust: Trust, what: str) -> tuple[str, str, bytes, str]:
    """(origin, entry, leaf, time) of a receipt."""
    lines = open_note(note, trust, what).split("\n")
    if len(lines) != 6 or lines[0] != "orkestra-receipt/v1":
        raise Fault(TAMPERED, f"{what} is not a receipt")
    values = []
    for line, label in zip(lines[2:5], ("entry", "leaf", "time")):
        found, _space, value = line.partition(" ")
        if found != label:
            raise Fault(TAMPERED, f"{what} does not name its {label}")
        values.append(value)
    return lines[1], values[0], hash_of(values[1], f"the leaf of {what}"), values[2]


# The bundle: known names only, nothing is ever written to a disk, every size is bounded while it is read.


class Bundle:
    def __init__(self, path: str) -> None:
        if not os.path.isfile(path):
            raise Fault(COULD_NOT_RUN, f"there is no file {path}")
        try:
            self.zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError, ValueError) as error:
            raise Fault(TAMPERED, f"the bundle is not a ZIP that can be read ({error})") from None
        names = [info.filename for info in self.zip.infolist()]
        if len(set(names)) != len(names):
            raise Fault(TAMPERED, "the bundle has two members of one name")
        if strange := [name for name in names if name not in MEMBERS]:
            raise Fault(TAMPERED, f"the bundle has a member that does not belong there: {strange[0]!r}")
        for info in self.zip.infolist():
            if info.file_size > LARGEST_MEMBER or info.file_size > SMALL + MOST_RATIO * info.compress_size:
                raise Fault(TAMPERED, f"{info.filename} would unpack to more than an honest bundle holds")
        self.names = set(names)

    def text(self, name: str) -> str | None:
        """A small member as text; None where there is none."""
        if name not in self.names:
            return None
        data = self._read(name, self.zip.open(name), SMALL + 1)
        if len(data) > SMALL:
            raise Fault(TAMPERED, f"{name} is too large")
        try:
            return data.decode()
        except UnicodeDecodeError:
            raise Fault(TAMPERED, f"{name} is not UTF-8") from None

    def lines(self, name: str) -> Iterator[list[bytes]]:
        """The lines of a member in lists, whole lines only."""
        if name not in self.names:
            return
        rest, read, limit = b"", 0, self.zip.getinfo(name).file_size
        with self.zip.open(name) as member:
            while chunk := self._read(name, member, CHUNK):
                read += len(chunk)
                if read > limit:
                    raise Fault(TAMPERED, f"{name} unpacks to more than it says")
                parts = (rest + chunk).split(b"\n")
                rest = parts.pop()
                if len(rest) > LONGEST_LINE:
                    raise Fault(TAMPERED, f"{name} has a line that is too long")
                if parts:
                    yield parts
        if rest:
            raise Fault(TAMPERED, f"{name} ends in the middle of a line")

    def _read(self, name: str, member: IO[bytes], size: int) -> bytes:
        try:
            return member.read(size)
        except Exception as error:  # zlib.error, BadZipFile, EOFError, NotImplementedError: whatever is inside it
            raise Fault(TAMPERED, f"{name} cannot be read ({type(error).__name__}: {error})") from None


class Private:
    """Compare what entries commit to with the values that the bundle brings, in one pass in the log's order.

    What is not there counts as erased from the entry on that attests it, and as missing where none does.
    """

    MARKS, NAMES = (b'"private":[', b'"action":"privacy.erased"'), {"person", "account"}

    def __init__(self, parts: Iterator[list[bytes]]) -> None:
        self.lines = (line for part in parts for line in part)
        self.kept, self.erased = 0, {}  # type: int, dict[int, int]
        self.absent: dict[str, int] = {}
        self.next = self._read()

    def _read(self) -> dict[str, str] | None:
        if (line := next(self.lines, None)) is None:
            return None
        names = ("entry", "name", "salt", "value")
        return dict(zip(names, map(str, as_written(line, names, PRIVATE)), strict=True))

    def see(self, index: int, entry: bytes) -> None:
        if not any(mark in entry for mark in self.MARKS):
            return
        try:
            said = json.loads(entry)
            hand, told, entry_id = said.get("impersonator") or said["actor"], said["facts"], str(said["id"])
            who = str(hand["id"] or told.get("account") or next((one["id"] for one in said["targets"]), None))
            promises = {str(one["name"]): str(one["commitment"]) for one in said.get("private", [])}
            people = {str(one["id"]) for one in said["targets"]} | {str(told[one]) for one in self.NAMES & told.keys()}
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise Fault(TAMPERED, f"entry #{index} is not an entry") from None
        while self.next is not None and self.next["entry"] == entry_id:
            self._compare(index, self.next, promises.pop(self.next["name"], ""))
            self.next = self._read()
        if promises:
            self.absent[who] = self.absent.get(who, 0) + len(promises)
        if said.get("action") == "privacy.erased" and (gone := sum(self.absent.pop(person, 0) for person in people)):
            self.erased[index] = gone

    def _compare(self, index: int, one: dict[str, str], promise: str) -> None:
        try:
            found = hmac.new(bytes.fromhex(one["salt"]), one["value"].encode(), hashlib.sha256).hexdigest()
        except ValueError:
            raise Fault(TAMPERED, f"{PRIVATE} cannot be read") from None
        if found != promise:
            raise Fault(TAMPERED, f"the {one['name'][:16]!r} of entry #{index} is not what the entry commits to")
        self.kept += 1

    def end(self) -> tuple[list[str], list[str]]:
        """(what holds, what is missing), in words."""
        if self.next is not None:
            raise Fault(TAMPERED, f"{PRIVATE} has a value of an entry that is not here")
        notes = [f"{self.kept} addresses and agents are what their entries commit to."] if self.kept else []
        notes += [f"{count} are erased, attested at #{index}." for index, count in sorted(self.erased.items())]
        missing = sum(self.absent.values())
        return notes, [
            f"{missing} addresses and agents are MISSING, and nothing attests their erasure"
        ] if missing else []


def shares(lines: Iterator[list[bytes]]) -> Iterator[bytes]:
    """SHARE lines at a time, joined; at the end fewer."""
    held: list[bytes] = []
    for part in lines:
        held += part
        while len(held) >= SHARE:
            yield b"\n".join(held[:SHARE])
            del held[:SHARE]
    if held:
        yield b"\n".join(held)


def fold(parts: Iterator[bytes], processes: int) -> Iterator[tuple[bytes, bytes | None]]:
    """fold_lines over shares, in order, on so many processes; a bounded number is under way at once."""
    if processes < 2:
        yield from map(fold_lines, parts)
        return
    with concurrent.futures.ProcessPoolExecutor(processes) as pool:
        waiting = []
        for part in parts:
            waiting.append(pool.submit(fold_lines, part))
            if len(waiting) > 2 * processes:
                yield waiting.pop(0).result()
        for one in waiting:
            yield one.result()


class Verification:
    def __init__(self, bundle: Bundle, trust: Trust, options: argparse.Namespace) -> None:
        self.bundle, self.trust, self.options = bundle, trust, options
        self.origin, self.size, self.root = "", 0, b""
        self.filters: object = None
        self.count, self.receipts, self.last_entry = 0, 0, b""
        self.pruned, self.told = 0, 0
        self.notes: list[str] = []
        self.lacks: list[str] = []
        self.private = Private(bundle.lines(PRIVATE)) if PRIVATE in bundle.names else None
        self.wanted: dict[bytes, tuple[str, str, bool]] = {}  # leaf -> (name, time, given), of receipts looked for

    def run(self) -> None:
        self.filters = self._manifest().get("filters")
        self.trust.admit(self.bundle.text(KEYS) or "")
        note = self.bundle.text(CHECKPOINT)
        if note is None:
            raise Fault(INCOMPLETE, "the bundle has no checkpoint: nothing in it can be verified")
        self.origin, self.size, self.root = read_head(open_note(note, self.trust, "the checkpoint"), "the checkpoint")
        if self.options.origin and self.options.origin != self.origin:
            raise Fault(TAMPERED, f"this is the log {self.origin}, not {self.options.origin}")
        olds = [self._old(path) for path in self.options.checkpoint]
        self._receipts()
        if PROOFS in self.bundle.names:
            self._selection()
        else:
            self._log(olds)
        self._instance(note)
        self._look_for_receipts()
        if self.private is not None:
            notes, lacks = self.private.end()
            self.notes += notes
            self.lacks += lacks

    def _manifest(self) -> dict[str, object]:
        try:
            found = json.loads(self.bundle.text(MANIFEST) or "{}")
        except (ValueError, RecursionError):
            raise Fault(TAMPERED, "manifest.json is not JSON") from None
        return found if isinstance(found, dict) else {}

    def _old(self, path: str) -> Head:
        """An older checkpoint or anchor that the user kept."""
        try:
            with open(path, encoding="utf-8") as file:
                text = file.read(SMALL)
        except (OSError, UnicodeDecodeError) as error:
            raise Fault(COULD_NOT_RUN, f"{path} cannot be read ({type(error).__name__})") from None
        origin, size, root = read_head(open_note(text, self.trust, path), path)
        if origin != self.origin:
            raise Fault(COULD_NOT_RUN, f"{path} is a checkpoint of {origin}, the bundle of {self.origin}")
        if size > self.size:
            raise Fault(
                TRUNCATED, f"the log was signed over {size} entries before ({path}); the bundle knows {self.size}"
            )
        if size == self.size and root != self.root:
            raise Fault(TAMPERED, f"two different logs of {size} entries were signed: compare {path}")
        return path, size, root

    def _log(self, olds: list[Head]) -> None:
        tree, olds = Tree(), sorted(olds, key=lambda old: old[1])
        level = SHARE.bit_length() - 1
        self._prune(tree, olds)
        for leaves, root in fold(shares(self._entries()), self.options.processes):
            count = len(leaves) // 32
            self._note_leaves(leaves)
            inside = [old for old in olds if tree.size < old[1] < tree.size + count]
            if root is not None and not inside and not tree.size % SHARE:
                tree.append(root, level)
            else:
                for at in range(0, len(leaves), 32):
                    tree.append(leaves[at : at + 32])
                    self._compare(tree, inside)
            self._compare(tree, olds)
        self.count = tree.size
        if tree.size < self.size:
            raise Fault(TRUNCATED, f"{self.size} entries were signed, {tree.size} are here: the end is missing")
        if tree.size > self.size:
            raise Fault(TAMPERED, f"{self.size} entries were signed, {tree.size} are here: something was added")
        if self.pruned > self.told:
            raise Fault(
                TAMPERED, f"the first {self.pruned} entries have no body, and no entry tells that they were pruned"
            )
        if self.pruned:
            self.notes.append(f"The bodies of the first {self.pruned} entries were pruned; an entry here tells of it.")
        if tree.root() != self.root:
            raise Fault(TAMPERED, "the entries are not those that were signed: their Merkle root is another one")
        for path, size, _root in olds:
            self.notes.append(f"The log continues {path} ({size} entries), unchanged.")

    def _prune(self, tree: Tree, olds: list[Head]) -> None:
        """Entries whose bodies were taken by retention stand by their leaves; one that is here must tell of it."""
        for part in self.bundle.lines(PRUNED):
            for line in part:
                if len(line) != 64 or line.strip(b"0123456789abcdef"):
                    raise Fault(TAMPERED, f"line {tree.size + 1} of {PRUNED} is not a hash")
                leaf = bytes.fromhex(line.decode())
                tree.append(leaf)
                self._note_leaves(leaf)
                self._compare(tree, olds)
        self.pruned = tree.size

    def _entries(self) -> Iterator[list[bytes]]:
        at = self.pruned
        for part in self.bundle.lines(ENTRIES):
            self.last_entry = part[-1]
            for index, entry in enumerate(part, at) if self.private is not None or self.pruned else ():
                if self.private is not None:
                    self.private.see(index, entry)
                if self.pruned and entry.startswith(PRUNING):
                    self.told = max(self.told, self._until(entry, index))
            at += len(part)
            yield part

    def _until(self, line: bytes, place: int) -> int:
        """Up to where this entry says that bodies were taken; it stands after all of them."""
        try:
            until = json.loads(line)["facts"]["until"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return 0
        return until if type(until) is int and until <= place else 0

    def _compare(self, tree: Tree, olds: list[Head]) -> None:
        for path, size, root in olds:
            if size == tree.size and root != tree.root():
                raise Fault(TAMPERED, f"the first {size} entries are not those of {path}: the past was rewritten")

    def _note_leaves(self, leaves: bytes) -> None:
        if self.wanted:
            for at in range(0, len(leaves), 32):
                self.wanted.pop(leaves[at : at + 32], None)

    def _selection(self) -> None:
        proofs = (line for part in self.bundle.lines(PROOFS) for line in part)
        before = -1
        for entry in (line for part in self.bundle.lines(ENTRIES) for line in part):
            line = next(proofs, None)
            if line is None:
                raise Fault(INCOMPLETE, f"entry number {self.count + 1} of the selection has no proof")
            index, proof = self._proof(line)
            if index <= before:
                raise Fault(TAMPERED, f"entry #{index} stands after #{before}: the selection was reordered")
            leaf = leaf_hash(entry)
            check_inclusion(proof, index, self.size, leaf, self.root)
            self.wanted.pop(leaf, None)
            if self.private is not None:
                self.private.see(index, entry)
            before, self.count = index, self.count + 1
        if next(proofs, None) is not None:
            raise Fault(INCOMPLETE, "there are proofs of entries that are not here")
        if not self.options.selection:
            self.lacks.append("it is a selection: every entry here is proved, and that nothing was left out is not")
        if self.options.checkpoint:
            self.lacks.append("a selection cannot be compared with an older checkpoint: export the whole log")

    def _proof(self, line: bytes) -> tuple[int, list[bytes]]:
        index, parts = as_written(line, ("index", "proof"), f"the proof of entry number {self.count + 1}")
        if type(index) is not int or not isinstance(parts, list) or len(parts) > 64:
            raise Fault(TAMPERED, f"the proof of entry number {self.count + 1} cannot be read")
        return index, [hash_of(part, "a part of a proof") for part in parts]

    def _instance(self, note: str) -> None:
        text = self.bundle.text(INSTANCE)
        if text is None:
            self.lacks.append("there is no proof that this checkpoint is in the log of all checkpoints")
            return
        head, empty, signed = text.partition("\n\n")
        lines = head.split("\n")
        if not empty or lines[0] != "c2sp.org/tlog-proof@v1" or not lines[1:2] or not lines[1].startswith("index "):
            raise Fault(TAMPERED, f"{INSTANCE} is not a proof")
        number = lines[1][6:]
        if not number.isascii() or not number.isdigit() or len(lines) > 66:
            raise Fault(TAMPERED, f"{INSTANCE} is not a proof")
        origin, size, root = read_head(open_note(signed, self.trust, "the checkpoint of all logs"), INSTANCE)
        proof = [hash_of(line, f"a part of {INSTANCE}") for line in lines[2:]]
        try:
            check_inclusion(proof, int(number), size, leaf_hash(note.encode()), root)
        except Fault:
            raise Fault(TAMPERED, f"this checkpoint is not in the log of all checkpoints, {origin}") from None
        self.notes.append(f"The checkpoint is number {number} of {size} in the log of all checkpoints, {origin}.")

    def _receipts(self) -> None:
        for part in self.bundle.lines(RECEIPTS):
            for line in part:
                (note,) = as_written(line, ("receipt",), "a receipt in the bundle")
                _origin, entry, leaf, time = read_receipt(str(note), self.trust, "a receipt in the bundle")
                self.wanted[leaf] = f"the receipt in the bundle for entry {entry}", time, False
        for path in self.options.receipt:
            try:
                with open(path, encoding="utf-8") as file:
                    note = file.read(SMALL)
            except (OSError, UnicodeDecodeError) as error:
                raise Fault(COULD_NOT_RUN, f"{path} cannot be read ({type(error).__name__})") from None
            origin, entry, leaf, time = read_receipt(note, self.trust, path)
            if origin.split("/audit/")[-1].split("/")[0] != self.origin.split("/audit/")[-1].split("/")[0]:
                raise Fault(COULD_NOT_RUN, f"{path} is a receipt of {origin}, the bundle of {self.origin}")
            self.wanted[leaf] = f"your receipt {path} for entry {entry}", time, True
        self.receipts = len(self.wanted)

    def _look_for_receipts(self) -> None:
        """Every receipt's entry must be in a whole log; a selection may simply not have it."""
        found = self.receipts - len(self.wanted)
        if found:
            self.notes.append(f"{found} receipts name entries that are here, unchanged.")
        for name, time, given in self.wanted.values():
            if PROOFS in self.bundle.names:
                if given:
                    self.lacks.append(f"{name} ({time}) names an entry that is not in this selection")
            elif time > self._newest():
                self.lacks.append(f"{name} ({time}) is newer than the last entry here: export the log again")
            else:
                raise Fault(TAMPERED, f"{name} ({time}) names an entry that is not in this log: dropped or changed")

    def _newest(self) -> str:
        """The time of the last entry, which was signed as it stands."""
        try:
            return str(json.loads(self.last_entry)["time"])
        except (ValueError, KeyError, TypeError, RecursionError):
            return ""


def tell(verification: Verification, code: int, text: str, out: TextIO) -> None:
    print(f"{WORDS[code]}: {text}", file=out)
    if verification.origin:
        print(f"  log        {verification.origin}", file=out)
        print(
            f"  signed     {verification.size} entries, root {base64.b64encode(verification.root).decode()}", file=out
        )
    for line in verification.notes:
        print(f"  {line}", file=out)
    if code in (WHOLE, INCOMPLETE):
        print("Not proved:", file=out)
        for line in not_proved(verification):
            print(f"  - {line}", file=out)


def not_proved(verification: Verification) -> Iterator[str]:
    yield from verification.lacks
    if PROOFS in verification.bundle.names:
        yield f"that the selection ({verification.filters}) holds all entries of its kind"
    if verification.private is None:
        yield "the addresses and agents that entries commit to, kept or erased: export them by ?private=1 to compare them"
    if not verification.options.checkpoint:
        yield "that this log is the one that others saw: give an anchor or an older checkpoint by --checkpoint"
    yield "that everything that happened was logged, and anything after this checkpoint"


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle")
    parser.add_argument("--key", action="append", required=True, help="a key or its fingerprint, known from elsewhere")
    parser.add_argument("--origin", help="the name that the log must have")
    parser.add_argument("--checkpoint", action="append", default=[], help="an older checkpoint or anchor that you kept")
    parser.add_argument(
        "--receipt", action="append", default=[], help="a receipt that you hold: its entry must be there"
    )
    parser.add_argument(
        "--selection", action="store_true", help="you asked for a selection: 0 when all of it is proved"
    )
    parser.add_argument("--processes", type=int, default=min(4, os.cpu_count() or 1))
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None, out: TextIO = sys.stdout) -> int:
    try:
        options = parse(arguments)
    except SystemExit as stop:
        return COULD_NOT_RUN if stop.code else 0
    try:
        import cryptography  # noqa: F401
    except ImportError:
        print("COULD NOT RUN: the package cryptography is missing", file=out)
        return COULD_NOT_RUN
    verification = None
    try:
        verification = Verification(Bundle(options.bundle), Trust(options.key), options)
        verification.run()
    except Fault as fault:
        if fault.code == COULD_NOT_RUN or verification is None:
            print(f"{WORDS.get(fault.code, 'COULD NOT RUN')}: {fault}", file=out)
        else:
            tell(verification, fault.code, str(fault), out)
        return fault.code
    code = INCOMPLETE if verification.lacks else WHOLE
    what = "entries of a selection" if PROOFS in verification.bundle.names else "entries"
    tell(verification, code, f"{verification.count} {what} are, byte for byte, what was signed", out)
    return code


if __name__ == "__main__":
    sys.exit(main())
