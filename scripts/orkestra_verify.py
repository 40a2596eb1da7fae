#!/usr/bin/env python3
"""Verify an exported audit log of Orkestra, with no server and none of Orkestra's code.

    python orkestra_verify.py --key KEY bundle.zip

KEY is what somebody you trust told you, never what lies in the bundle: the fingerprint of the public key (64 hex
digits), a verifier key (`name+id+base64`), 32 bytes as base64, or a PEM file. A verifier key is believed for the log of
its name alone: give that of the log of all checkpoints by a second --key. The other forms are believed for every log, so
name yours by --origin. Needs Python 3.9 or newer and the package `cryptography`; everything else is the standard library.

Exit codes: 0 whole; 1 tampered (a member that cannot be read too); 2 truncated: shorter than what was signed or than an
older checkpoint that you gave; 3 incomplete: what is there verifies, and something that a whole proof needs is missing
(a selection is incomplete unless you say by --selection that you asked for one); 4 could not run: nothing is said about
the log, since a file or key that you gave cannot be read or does not fit, or something unforeseen happened.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import concurrent.futures
import hashlib
import hmac
import io
import json
import os
import re
import stat
import sys
import zipfile
from collections.abc import Iterable, Iterator
from operator import add
from typing import Any, TextIO

WHOLE, TAMPERED, TRUNCATED, INCOMPLETE, COULD_NOT_RUN = range(5)
WORDS = ("WHOLE", "TAMPERED", "TRUNCATED", "INCOMPLETE", "COULD NOT RUN")
ENTRIES, PROOFS, CHECKPOINT, INSTANCE = "entries.jsonl", "proofs.jsonl", "checkpoint.txt", "instance.tlog-proof"
RECEIPTS, KEYS, MANIFEST, PRIVATE = "receipts.jsonl", "keys.txt", "manifest.json", "private.jsonl"
PRUNED = "pruned.txt"
MEMBERS = {ENTRIES, PROOFS, CHECKPOINT, INSTANCE, RECEIPTS, KEYS, MANIFEST, PRIVATE, PRUNED, "README.txt"}
PACKED = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}  # Python unpacks the others without a bound
SMALL = 1 << 20  # members that are read whole
LONGEST_LINE = 1 << 22
LARGEST_MEMBER = 1 << 40
MOST_RATIO = 400  # deflate reaches about 1000; a log of our own about 12
MOST_DIGITS = 18
CHUNK = 1 << 20  # not above LONGEST_LINE
SHARE = 1 << 13  # leaves that one process folds at a time; a few megabytes stay in its cache
SHARE_BYTES = 1 << 23
PRUNING = b'{"action":"audit.pruned",'  # how an entry begins that tells of it; keys are sorted
ALL_LOGS = re.compile(r"[^/]+/audit(/[0-9]+)?")  # the name of the log of all checkpoints
NATURAL = re.compile(f"0|[1-9][0-9]{{,{MOST_DIGITS - 1}}}")
RECEIPT = re.compile("orkestra-receipt/v1\n(.*)\nentry (.*)\nleaf (.*)\ntime (.*)\n")
EMPTY_ROOT = hashlib.sha256(b"").digest()
SURROGATE = re.compile("[\ud800-\udfff]")
UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, RecursionError)  # what reading bad JSON raises
_LEAF, _NODE = hashlib.sha256(b"\0"), hashlib.sha256(b"\1")  # a copy is made in half the time of a new one
Head = tuple[str, int, bytes]


class Fault(Exception):
    """Something does not hold; `code` is the exit code."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class Untrusted(Fault):
    """No key that the user trusts for this log has signed it."""


# The tree: RFC 6962, section 2.1, and RFC 9162, sections 2.1.3.2 and 2.1.4.2.


def hash_each(begun: hashlib._Hash, texts: Iterable[bytes]) -> list[bytes]:
    found = []
    for text in texts:
        hashed = begun.copy()
        hashed.update(text)
        found.append(hashed.digest())
    return found


def leaf_hash(entry: bytes) -> bytes:
    return hash_each(_LEAF, [entry])[0]


def node_hash(left: bytes, right: bytes) -> bytes:
    return hash_each(_NODE, [left + right])[0]


def perfect(row: list[bytes]) -> bytes:
    """The root over 2^k hashes."""
    while len(row) > 1:
        row = hash_each(_NODE, map(add, row[::2], row[1::2]))
    return row[0]


def joined(peaks: list[bytes]) -> bytes:
    """The root over the roots of perfect subtrees, largest first."""
    root = peaks[-1] if peaks else EMPTY_ROOT
    for peak in reversed(peaks[:-1]):
        root = node_hash(peak, root)
    return root


def fold_lines(lines: bytes) -> tuple[bytes, bytes | None]:
    """(leaves, root) of a full share, or (leaves, None) of the last one; runs in any process, so it takes one text."""
    leaves = hash_each(_LEAF, lines.split(b"\n"))
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
        return joined(self.peaks)


def check_inclusion(proof: list[bytes], index: int, size: int, leaf: bytes, root: bytes) -> list[bytes]:
    """Returns the peaks of the tree of the `index` leaves before, which every proof brings."""
    if not 0 <= index < size:
        raise Fault(TAMPERED, f"entry #{index} is beyond the signed size {size}")
    at, last, found, peaks = index, size - 1, leaf, []  # type: int, int, bytes, list[bytes]
    for other in proof:
        if last == 0:
            raise Fault(TAMPERED, f"the proof of entry #{index} is too long")
        if at & 1 or at == last:
            found = node_hash(other, found)
            peaks.insert(0, other)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, other)
        at, last = at >> 1, last >> 1
    if last or found != root:
        raise Fault(TAMPERED, f"entry #{index} is not what was signed: its proof leads to another root")
    return peaks


def number(text: str) -> int:
    """An integer of JSON or of a note, which none of ours has more digits of. Raises ValueError."""
    if len(text) > MOST_DIGITS:
        raise ValueError("a number is too long")
    return int(text)


def natural(text: str, what: str) -> int:
    if not NATURAL.fullmatch(text):
        raise Fault(TAMPERED, f"{what} has no number where one belongs")
    return int(text)


_json = json.JSONDecoder(parse_int=number)


def as_written(line: bytes, names: tuple[str, ...], what: str) -> list[Any]:
    """These values of a line of JSON that stands byte for byte as an export writes it."""
    try:
        said = _json.decode(line.decode())
        if json.dumps(said, separators=(",", ":")).encode() == line:
            return [said[name] for name in names]
    except UNREADABLE:
        pass
    raise Fault(TAMPERED, f"{what} cannot be read")


# Signed notes (c2sp.org/signed-note), checkpoints (c2sp.org/tlog-checkpoint) and receipts.


def decoded(text: str) -> bytes:
    """The bytes of base64; none where it is something else."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def b64(text: str, what: str) -> bytes:
    found = decoded(text)
    if base64.b64encode(found).decode() != text:
        raise Fault(TAMPERED, f"{what} is not base64 as it should be")
    return found


def hash_of(text: object, what: str) -> bytes:
    found = b64(text, what) if isinstance(text, str) else b""
    if len(found) != 32:
        raise Fault(TAMPERED, f"{what} is not a hash")
    return found


def key_id(name: str, public: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n\x01" + public).digest()[:4]


class Trust:
    """The keys that the user trusts; nothing from the bundle gets in except what has a fingerprint that they named."""

    def __init__(self, given: list[str]) -> None:
        self.publics: set[bytes] = set()
        self.names: dict[bytes, set[str]] = {}
        self.fingerprints: set[str] = set()
        for text in given:
            self._add(text.strip())

    def _add(self, text: str) -> None:
        name, _plus, rest = text.partition("+")
        identity, _plus, encoded = rest.partition("+")
        public = decoded(text)
        if os.path.isfile(text):
            self.publics.add(read_pem(text))
        elif len(text) == 64 and all(digit in "0123456789abcdefABCDEF" for digit in text):
            self.fingerprints.add(text.lower())
        elif len(public) == 32:
            self.publics.add(public)
        elif (public := decoded(encoded))[:1] == b"\x01" and identity == key_id(name, public[1:]).hex():
            self.names.setdefault(public[1:], set()).add(name)
        else:
            raise Fault(
                COULD_NOT_RUN,
                f"this is no fingerprint, no verifier key, not 32 bytes as base64 and no PEM file: {text[:60]}",
            )

    def admit(self, lines: str) -> None:
        """Take those keys of the bundle whose fingerprint the user gave."""
        for line in lines.splitlines():
            public = decoded(line.split("+", 2)[-1])[1:]
            if len(public) == 32 and hashlib.sha256(public).hexdigest() in self.fingerprints:
                self.publics.add(public)

    def keys_for(self, name: str) -> dict[bytes, bytes]:
        named = {public for public, names in self.names.items() if name in names}
        return {key_id(name, public): public for public in self.publics | named}

    def name(self, log: str) -> bool:
        """Whether the user named this log by a verifier key."""
        return any(log in names for names in self.names.values())


def read_pem(path: str) -> bytes:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

    try:
        with open(path, "rb") as file:
            key = load_pem_public_key(file.read(SMALL))
        if not isinstance(key, Ed25519PublicKey):
            raise TypeError(type(key))
        return key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    except (ValueError, TypeError, OSError, UnsupportedAlgorithm) as error:
        raise Fault(COULD_NOT_RUN, f"{path} holds no Ed25519 public key ({type(error).__name__})") from None


def notes_of(path: str, origin: str) -> Iterator[str]:
    """The note that a file of the user's holds; of an anchor's .leaves.jsonl the checkpoints of this log."""
    try:
        with open(path, encoding="utf-8") as file:
            line = file.readline(SMALL)
            if not line.startswith("{"):
                yield line + file.read(SMALL)
                return
            while line:
                note = _json.decode(line)["checkpoint"]
                if str(note).startswith(f"{origin}\n"):
                    yield note
                line = file.readline(SMALL)
    except (OSError, *UNREADABLE) as error:
        raise Fault(COULD_NOT_RUN, f"{path} cannot be read ({type(error).__name__})") from None


def open_note(note: str, trust: Trust, what: str, place: int = 0) -> str:
    """The text of a note that a trusted key has signed for the log that the text's line `place` names.

    Other keys and other names are ignored: the name is not signed, so it counts only where it is the log's own.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    text, empty, lines = note.rpartition("\n\n")
    if not empty or not lines.endswith("\n") or text.count("\n") < place or SURROGATE.search(note):
        raise Fault(TAMPERED, f"{what} is not a signed note")
    text, origin, signed = text + "\n", text.split("\n")[place], False
    known = trust.keys_for(origin)
    for line in lines[:-1].split("\n"):
        name, _space, encoded = line[2:].partition(" ")
        signature = b64(encoded, f"a signature of {what}")
        if not line.startswith("— ") or len(signature) < 5:
            raise Fault(TAMPERED, f"{what} is not a signed note")
        if name != origin or signature[:4] not in known:
            continue
        try:
            Ed25519PublicKey.from_public_bytes(known[signature[:4]]).verify(signature[4:], text.encode())
        except InvalidSignature:
            raise Fault(TAMPERED, f"{what} is not what was signed: the signature does not fit") from None
        signed = True
    if not signed:
        raise Untrusted(TAMPERED, f"{what} ({origin}) is not signed by a key that you trust for a log of this name")
    return text


def read_head(text: str, what: str) -> Head:
    """(origin, size, root) of a checkpoint."""
    lines = text.split("\n")
    if len(lines) < 4:
        raise Fault(TAMPERED, f"{what} is not a checkpoint")
    return lines[0], natural(lines[1], what), hash_of(lines[2], f"the root of {what}")


def read_receipt(text: str, what: str) -> tuple[str, str, bytes, str]:
    """(origin, entry, leaf, time) of a receipt."""
    found = RECEIPT.fullmatch(text)
    if found is None:
        raise Fault(TAMPERED, f"{what} is not a receipt")
    origin, entry, leaf, time = found.groups()
    return origin, entry, hash_of(leaf, f"the leaf of {what}"), time


# The bundle: known names only, nothing is ever written to a disk, every size is bounded while it is read.


class Capped(io.BufferedReader):
    """A file that gives a megabyte at a time, whatever is asked; that it cannot be read is no fault of what is in it."""

    def read(self, size: int | None = -1, /) -> bytes:
        try:
            return super().read(CHUNK if size is None or size < 0 else min(size, CHUNK))
        except OSError as error:
            raise Fault(COULD_NOT_RUN, f"the bundle cannot be read ({error})") from None


def opened(path: str) -> Capped:
    if not os.path.isfile(path):
        raise Fault(COULD_NOT_RUN, f"there is no file {path}")
    try:
        return Capped(io.FileIO(path))
    except OSError as error:
        raise Fault(COULD_NOT_RUN, f"{path} cannot be read ({type(error).__name__})") from None


class Bundle:
    def __init__(self, file: Capped) -> None:
        try:
            self.zip = zipfile.ZipFile(file)
        except (Fault, MemoryError):
            raise
        except Exception as error:  # BadZipFile, OSError of a seek, NotImplementedError: whatever is inside it
            raise Fault(TAMPERED, f"the bundle is not a ZIP that can be read ({error})") from None
        self.names: set[str] = set()
        for info in self.zip.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)
            if {info.filename, info.orig_filename} - MEMBERS or kind not in (0, stat.S_IFREG):
                raise Fault(TAMPERED, f"the bundle has a member that does not belong there: {info.orig_filename!r}")
            if info.filename in self.names:
                raise Fault(TAMPERED, "the bundle has two members of one name")
            if info.compress_type not in PACKED:
                raise Fault(TAMPERED, f"{info.filename} is packed as no export is")
            if info.file_size > LARGEST_MEMBER or info.file_size > SMALL + MOST_RATIO * info.compress_size:
                raise Fault(TAMPERED, f"{info.filename} would unpack to more than an honest bundle holds")
            self.names.add(info.filename)

    def text(self, name: str) -> str | None:
        """A small member as text; None where there is none."""
        if name not in self.names:
            return None
        data = b""
        for chunk in self._chunks(name):
            data += chunk
            if len(data) > SMALL:
                raise Fault(TAMPERED, f"{name} is too large")
        try:
            return data.decode()
        except UnicodeDecodeError:
            raise Fault(TAMPERED, f"{name} is not UTF-8") from None

    def lines(self, name: str) -> Iterator[list[bytes]]:
        """The lines of a member in lists, whole lines only."""
        rest = b""
        for chunk in self._chunks(name) if name in self.names else ():
            parts = (rest + chunk).split(b"\n")
            if len(parts[0]) > LONGEST_LINE:  # any other lies within this chunk
                raise Fault(TAMPERED, f"{name} has a line that is too long")
            rest = parts.pop()
            if parts:
                yield parts
        if rest:
            raise Fault(TAMPERED, f"{name} ends in the middle of a line")

    def _chunks(self, name: str) -> Iterator[bytes]:
        try:
            with self.zip.open(name) as member:
                while chunk := member.read(CHUNK):
                    yield chunk
        except (Fault, MemoryError):
            raise
        except Exception as error:  # zlib.error, BadZipFile, EOFError, RuntimeError: whatever is inside it
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
        return dict(zip(names, map(str, as_written(line, names, PRIVATE))))

    def see(self, index: int, entry: bytes) -> None:
        if not any(mark in entry for mark in self.MARKS):
            return
        try:
            said = _json.decode(entry.decode())
            hand, told, entry_id = said.get("impersonator") or said["actor"], said["facts"], str(said["id"])
            who = str(hand["id"] or told.get("account") or next((one["id"] for one in said["targets"]), None))
            promises = {str(one["name"]): str(one["commitment"]) for one in said.get("private", [])}
            people = {str(one["id"]) for one in said["targets"]} | {str(told[one]) for one in self.NAMES & told.keys()}
        except UNREADABLE:
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
    """SHARE lines at a time, joined; fewer where they are long, and at the end."""
    held: list[bytes] = []
    size = 0
    for part in lines:
        held += part
        size += sum(map(len, part))
        full = len(held) - len(held) % SHARE
        for at in range(0, full, SHARE):
            yield b"\n".join(held[at : at + SHARE])
        if full:
            del held[:full]
            size = sum(map(len, held))
        if size > SHARE_BYTES:
            yield b"\n".join(held)
            held, size = [], 0
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
        self.filters = ""
        self.count, self.receipts, self.last_entry = 0, 0, b""
        self.olds: dict[int, tuple[bytes, str]] = {}  # size -> (root, whose), of older checkpoints of this log
        self.heads: list[tuple[str, Head]] = []  # that the user gave of the log of all checkpoints
        self.compared = False
        self.pruned, self.told = 0, 0
        self.notes: list[str] = []
        self.lacks: list[str] = []
        self.private = Private(bundle.lines(PRIVATE)) if PRIVATE in bundle.names else None
        self.wanted: dict[bytes, tuple[str, str, bool]] = {}  # leaf -> (name, time, given), of receipts looked for

    def run(self) -> None:
        self._manifest()
        self.trust.admit(self.bundle.text(KEYS) or "")
        note = self.bundle.text(CHECKPOINT)
        if note is None:
            raise Fault(INCOMPLETE, "the bundle has no checkpoint: nothing in it can be verified")
        self.origin, self.size, self.root = read_head(open_note(note, self.trust, "the checkpoint"), "the checkpoint")
        if self.options.origin and self.options.origin != self.origin:
            raise Fault(TAMPERED, f"this is the log {self.origin}, not {self.options.origin}")
        for path in self.options.checkpoint:
            self._take(path)
        self._receipts()
        if PROOFS in self.bundle.names:
            self._selection()
        else:
            self._log()
        self._instance(note)
        self._look_for_receipts()
        if self.private is not None:
            notes, lacks = self.private.end()
            self.notes += notes
            self.lacks += lacks

    def _manifest(self) -> None:
        """Nothing of it is signed: it is shown, never believed."""
        try:
            found = _json.decode(self.bundle.text(MANIFEST) or "{}")
            self.filters = json.dumps(found.get("filters"))[:200]
        except UNREADABLE:
            raise Fault(TAMPERED, f"{MANIFEST} cannot be read") from None

    def _take(self, path: str) -> None:
        """Sort what the user kept: checkpoints of this log, and heads of the log of all checkpoints."""
        notes = list(notes_of(path, self.origin))
        for note in notes:
            head = read_head(self._kept(note, path), path)
            if head[0] == self.origin:
                self._older(path, *head[1:])
            elif ALL_LOGS.fullmatch(head[0]):
                self.heads.append((path, head))
            else:
                raise Fault(COULD_NOT_RUN, f"{path} is a checkpoint of {head[0]}, the bundle of {self.origin}")
        if not notes:
            self.lacks.append(f"{path} holds no checkpoint of this log")

    def _kept(self, note: str, path: str, place: int = 0) -> str:
        """The text of a note that the user kept; that they gave no key for it is no fault of the log."""
        try:
            return open_note(note, self.trust, path, place)
        except Untrusted as fault:
            raise Fault(COULD_NOT_RUN, str(fault)) from None

    def _older(self, path: str, size: int, root: bytes) -> None:
        if size > self.size:
            raise Fault(
                TRUNCATED, f"the log was signed over {size} entries before ({path}); the bundle knows {self.size}"
            )
        known, whose = self.olds.setdefault(size, (root, path)) if size < self.size else (self.root, "the bundle")
        if known != root:
            raise Fault(TAMPERED, f"two different logs of {size} entries were signed: compare {path} and {whose}")
        self.olds[size] = root, path

    def _log(self) -> None:
        tree, level = Tree(), SHARE.bit_length() - 1
        self._compare(tree)
        self._prune(tree)
        for leaves, root in fold(shares(self._entries()), self.options.processes):
            count = len(leaves) // 32
            self._note_leaves(leaves)
            inside = any(tree.size < size < tree.size + count for size in self.olds)
            if root is not None and not inside and not tree.size % SHARE:
                tree.append(root, level)
                self._compare(tree)
            else:
                for at in range(0, len(leaves), 32):
                    tree.append(leaves[at : at + 32])
                    self._compare(tree)
            if tree.size > self.size:
                break
        self.count = tree.size
        if tree.size < self.size:
            raise Fault(TRUNCATED, f"{self.size} entries were signed, {tree.size} are here: the end is missing")
        if tree.size > self.size:
            raise Fault(TAMPERED, f"{self.size} entries were signed, more are here: something was added")
        if self.pruned > self.told:
            raise Fault(
                TAMPERED, f"the first {self.pruned} entries have no body, and no entry tells that they were pruned"
            )
        if self.pruned:
            self.notes.append(f"The bodies of the first {self.pruned} entries were pruned; an entry here tells of it.")
        if tree.root() != self.root:
            raise Fault(TAMPERED, "the entries are not those that were signed: their Merkle root is another one")
        for path, size in {path: size for size, (_root, path) in sorted(self.olds.items())}.items():
            self.compared = True
            self.notes.append(f"The log continues {path} ({size} entries), unchanged.")

    def _prune(self, tree: Tree) -> None:
        """Entries whose bodies were taken by retention stand by their leaves; one that is here must tell of it."""
        for part in self.bundle.lines(PRUNED):
            for line in part if tree.size <= self.size else ():
                if len(line) != 64 or line.strip(b"0123456789abcdef"):
                    raise Fault(TAMPERED, f"line {tree.size + 1} of {PRUNED} is not a hash")
                leaf = bytes.fromhex(line.decode())
                tree.append(leaf)
                self._note_leaves(leaf)
                self._compare(tree)
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
            until = _json.decode(line.decode())["facts"]["until"]
        except UNREADABLE:
            return 0
        return until if type(until) is int and until <= place else 0

    def _compare(self, tree: Tree) -> None:
        if tree.size in self.olds and self.olds[tree.size][0] != tree.root():
            path = self.olds[tree.size][1]
            raise Fault(TAMPERED, f"the first {tree.size} entries are not those of {path}: the past was rewritten")

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
        if self.olds:
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
            self.lacks += [f"{path} cannot be compared without it" for path, _head in self.heads]
            return
        head, empty, signed = text.partition("\n\n")
        lines = head.split("\n")
        if not empty or lines[0] != "c2sp.org/tlog-proof@v1" or not lines[1:2] or not lines[1].startswith("index "):
            raise Fault(TAMPERED, f"{INSTANCE} is not a proof")
        index, proof = natural(lines[1][6:], INSTANCE), [hash_of(line, f"a part of {INSTANCE}") for line in lines[2:66]]
        try:
            origin, size, root = read_head(open_note(signed, self.trust, "the checkpoint of all logs"), INSTANCE)
        except Untrusted as fault:
            self.lacks += [f"{fault}: give that key too", *(f"{path} cannot be compared" for path, _ in self.heads)]
            return
        leaf = leaf_hash(note.encode())
        try:
            peaks = check_inclusion(proof, index, size, leaf, root)
        except Fault:
            raise Fault(TAMPERED, f"this checkpoint is not in the log of all checkpoints, {origin}") from None
        self.notes.append(f"The checkpoint is number {index} of {size} in the log of all checkpoints, {origin}.")
        self._compare_heads(origin, {size: root, index: joined(peaks), index + 1: joined([*peaks, leaf])})

    def _compare_heads(self, origin: str, known: dict[int, bytes]) -> None:
        """Compare heads of the log of all checkpoints with those that the proof of its place in there brings."""
        for path, (name, size, root) in self.heads:
            if name != origin:
                raise Fault(COULD_NOT_RUN, f"{path} is a checkpoint of {name}, the bundle knows {origin}")
            if size not in known:
                self.lacks.append(
                    f"{path} ({size} checkpoints of all logs) cannot be compared: this bundle knows the heads of "
                    f"{', '.join(map(str, sorted(known)))}; give a checkpoint of this log, or the .leaves.jsonl beside it"
                )
            elif known[size] != root:
                raise Fault(TAMPERED, f"the log of all checkpoints is not the one of {path}: others were shown another")
            else:
                self.compared = True
                self.notes.append(f"The log of all checkpoints continues {path} ({size} checkpoints), unchanged.")

    def _receipts(self) -> None:
        if RECEIPTS not in self.bundle.names:
            self.lacks.append(f"{RECEIPTS} is not there, which every export has")
        seen, unknown, what = 0, 0, "a receipt in the bundle"
        for line in (line for part in self.bundle.lines(RECEIPTS) for line in part):
            if (seen := seen + 1) > self.size:
                raise Fault(TAMPERED, "the bundle has more receipts than entries")
            (note,) = as_written(line, ("receipt",), what)
            try:
                _origin, entry, leaf, time = read_receipt(open_note(str(note), self.trust, what, 1), what)
                self.wanted[leaf] = f"the receipt in the bundle for entry {entry}", time, False
            except Untrusted:
                unknown += 1
        if unknown:
            self.lacks.append(f"{unknown} receipts are signed by keys, or for names, that you did not give")
        for path in self.options.receipt:
            note = "".join(notes_of(path, ""))
            origin, entry, leaf, time = read_receipt(self._kept(note, path, 1), path)
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
            return str(_json.decode(self.last_entry.decode())["time"])
        except UNREADABLE:
            return ""


def told(verification: Verification, code: int, text: str) -> Iterator[str]:
    yield f"{WORDS[code]}: {text}"
    if code == COULD_NOT_RUN:
        return
    if verification.origin:
        yield f"  log        {verification.origin}"
        yield f"  signed     {verification.size} entries, root {base64.b64encode(verification.root).decode()}"
    yield from (f"  {line}" for line in verification.notes)
    if code in (WHOLE, INCOMPLETE):
        yield "Not proved:"
        yield from (f"  - {line}" for line in not_proved(verification))


def not_proved(verification: Verification) -> Iterator[str]:
    yield from verification.lacks
    if not (verification.options.origin or verification.olds or verification.trust.name(verification.origin)):
        yield "that this log is the one that you mean, for the key signs for others too: give its name by --origin"
    if PROOFS in verification.bundle.names:
        yield f"that the selection ({verification.filters}) holds all entries of its kind"
    if verification.private is None:
        yield "the addresses and agents that entries commit to, kept or erased: export them by ?private=1 to compare them"
    if not verification.compared:
        yield "that this log is the one that others saw: give an anchor or an older checkpoint by --checkpoint"
    yield "that everything that happened was logged, and anything after this checkpoint"


def shown(line: str, out: TextIO) -> str:
    """One line, whatever the bundle's texts hold: no sign that moves, hides or turns what stands around it."""
    plain = "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in line)
    encoding = getattr(out, "encoding", None) or "utf-8"
    return plain.encode(encoding, "backslashreplace").decode(encoding)


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle")
    parser.add_argument("--key", action="append", required=True, help="a key or its fingerprint, known from elsewhere")
    parser.add_argument("--origin", help="the name that the log must have")
    parser.add_argument(
        "--checkpoint", action="append", default=[],
        help="what was kept elsewhere: an older checkpoint of this log, such as that of the mail; of the folder of anchors a "
        ".leaves.jsonl, or a .checkpoint, which fits only an export made next to it",
    )  # fmt: skip
    parser.add_argument(
        "--receipt", action="append", default=[], help="a receipt that you hold: its entry must be there"
    )
    parser.add_argument(
        "--selection", action="store_true", help="you asked for a selection: 0 when all of it is proved"
    )
    parser.add_argument("--processes", type=int, default=min(4, os.cpu_count() or 1))
    return parser.parse_args(arguments)


def examined(options: argparse.Namespace) -> tuple[int, list[str]]:
    """The exit code and what to say; whatever is unforeseen is no verdict on the log."""
    try:
        with opened(options.bundle) as file:
            verification = Verification(Bundle(file), Trust(options.key), options)
            try:
                verification.run()
                code = INCOMPLETE if verification.lacks else WHOLE
                what = "entries of a selection" if PROOFS in verification.bundle.names else "entries"
                text = f"{verification.count} {what} are, byte for byte, what was signed"
            except Fault as fault:
                code, text = fault.code, str(fault)
            return code, list(told(verification, code, text))
    except Fault as fault:
        return fault.code, [f"{WORDS[fault.code]}: {fault}"]
    except BaseException as error:  # an interrupt too, and a panic of cryptography
        return COULD_NOT_RUN, [f"{WORDS[COULD_NOT_RUN]}: {type(error).__name__}: {error}"]


def main(arguments: list[str] | None = None, out: TextIO = sys.stdout) -> int:
    try:
        options = parse(arguments)
    except SystemExit as stop:
        return COULD_NOT_RUN if stop.code else 0
    code, lines = examined(options)
    try:
        for line in lines:
            print(shown(line, out), file=out)
        out.flush()
    except (OSError, ValueError):  # nobody hears the verdict
        return COULD_NOT_RUN
    return code


if __name__ == "__main__":
    sys.exit(main())
