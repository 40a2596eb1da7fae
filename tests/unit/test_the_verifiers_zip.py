"""The ZIP around a bundle: damaged, made to unpack without an end, or with bytes of its own changed by chance."""

from __future__ import annotations

import base64
import os
import random
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from .test_the_verifier import (
    ENTRIES,
    EVIDENCE,
    INCOMPLETE,
    PUBLIC,
    SCRIPT,
    SEED,
    TAMPERED,
    TRUNCATED,
    WHOLE,
    made,
    verdict,
    written,
)

ZIP_CASES = int(os.environ.get("ORKESTRA_FUZZ_CASES", "10000")) // 10
LOCAL, CENTRAL, END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "bundle.zip"


def patched(data: bytes, mark: bytes, at: int, value: bytes) -> bytes:
    """Every header of this kind says this at this place."""
    found, start = bytearray(data), 0
    while (start := data.find(mark, start)) >= 0:
        found[start + at : start + at + len(value)] = value
        start += 4
    return bytes(found)


@pytest.mark.parametrize(
    ("mark", "at", "value"),
    [
        (CENTRAL, 6, b"\x63\x00"), (CENTRAL, 8, b"\x01\x00"), (CENTRAL, 10, b"\x63\x00"), (CENTRAL, 10, b"\x08\x00"),
        (LOCAL, 0, b"XXXX"), (LOCAL, 30, b"N"), (CENTRAL, 42, b"\xff\xff\xff\x7f"), (CENTRAL, 38, b"\x00\x00\xff\xa1"),
        (END, 12, b"\xff\xff\xff\x7f"), (END, 16, b"\xff\xff\xff\x7f"), (CENTRAL, 16, b"abcd"),
    ],
    ids=[
        "a version to come", "encrypted", "a method to come", "packed by another method", "no local header",
        "another local name", "beyond the end", "a symbolic link", "a directory beyond the end", "a far directory",
        "another checksum",
    ],
)  # fmt: skip
def test_a_zip_that_is_damaged_is_tampering_and_no_traceback(place, mark, at, value):
    written(made(ENTRIES), place)
    place.write_bytes(patched(place.read_bytes(), mark, at, value))
    code, said = verdict(place)
    assert (code, said[:9]) == (TAMPERED, "TAMPERED:")


def test_a_name_with_an_end_of_its_own_is_refused(place):
    members = made(ENTRIES)
    receipts = members.pop("receipts.jsonl")
    written(members | {"receipts.jsonl_..": receipts}, place)
    place.write_bytes(place.read_bytes().replace(b"receipts.jsonl_..", b"receipts.jsonl\0.."))
    code, said = verdict(place)
    assert (code, "does not belong there" in said) == (TAMPERED, True), said


MOST_MEMORY_MB = 160
BOMBS: dict[str, tuple[str, bytes, int]] = {
    "long lines": (
        "entries.jsonl",
        os.urandom(1800).replace(b"\n", b"x") + b"a" * 998_000 + b"\n",
        zipfile.ZIP_DEFLATED,
    ),
    "one line": ("entries.jsonl", os.urandom(2700).replace(b"\n", b"x") + b"a" * 998_000, zipfile.ZIP_DEFLATED),
    "empty lines": ("entries.jsonl", os.urandom(2700) + b"\n" * 998_000, zipfile.ZIP_DEFLATED),
    "empty receipts": ("receipts.jsonl", os.urandom(2700) + b"\n" * 998_000, zipfile.ZIP_DEFLATED),
    "another method": ("entries.jsonl", b"a" * 1_000_000, zipfile.ZIP_LZMA),
}


def bomb(path: Path, name: str, data: bytes, method: int) -> None:
    info = zipfile.ZipInfo(name)
    info.compress_type = method
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        with file.open(info, "w", force_zip64=True) as member:
            for _ in range(MOST_MEMORY_MB):
                member.write(data)
        for other, text in made(ENTRIES).items():
            if other != name:
                file.writestr(other, text)
    if method == zipfile.ZIP_LZMA:  # it says of itself that it holds little
        path.write_bytes(patched(path.read_bytes(), CENTRAL, 24, struct.pack("<I", 1000)))


BOUNDED = f"""
import resource, runpy, sys
resource.setrlimit(resource.RLIMIT_AS, ({MOST_MEMORY_MB} << 20, {MOST_MEMORY_MB} << 20))
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def bounded(place: Path) -> tuple[int, str, str]:
    """The verdict of a process that has little memory."""
    command = [sys.executable, "-I", "-c", BOUNDED, str(SCRIPT), str(place), "--key", base64.b64encode(PUBLIC).decode()]
    done = subprocess.run([*command, "--processes", "1"], capture_output=True, text=True, check=False)
    return done.returncode, done.stderr, done.stdout


@pytest.mark.parametrize("kind", BOMBS)
def test_a_bomb_gets_its_verdict_within_bounded_memory(place, kind):
    bomb(place, *BOMBS[kind])
    code, errors, said = bounded(place)
    assert (code, errors, "MemoryError" in said) == (TAMPERED, "", False), said + errors


def test_a_directory_of_a_million_names_gets_its_verdict_within_bounded_memory(place):
    written({"README.txt": b""}, place)
    whole = place.read_bytes()
    at, end = whole.index(CENTRAL), whole.index(END)
    names = whole[at:end] * 1_000_000
    place.write_bytes(whole[:at] + names + patched(whole[end:], END, 12, struct.pack("<I", len(names))))
    code, errors, said = bounded(place)
    assert (code, errors, "MemoryError" in said) == (TAMPERED, "", False), said + errors


def evidence(path: Path) -> dict[str, bytes] | None:
    """What the verifier believes, as another reader of the same file finds it."""
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name) for name in file.namelist() if name in EVIDENCE}


def bent(data: bytes, dice: random.Random) -> bytes:
    """Bytes of the ZIP itself are other ones: in a header, in the directory, at its end, or anywhere."""
    marks = [at for mark in (LOCAL, CENTRAL, CENTRAL, END) for at in range(len(data)) if data.startswith(mark, at)]
    at = min(dice.choice(marks) + dice.randrange(46), len(data) - 1) if dice.randrange(8) else dice.randrange(len(data))
    width = dice.choice([1, 1, 2, 4])
    kind = dice.randrange(8)
    if kind == 0:
        return data[:at] + data[at + width :]
    if kind == 1:
        return data[:at] + dice.randbytes(width) + data[at:]
    if kind == 2:
        return data[: at + width]
    other = dice.choice(
        [bytes(width), b"\xff" * width, dice.randbytes(width), bytes([data[at] ^ 1 << dice.randrange(8)])]
    )
    return data[:at] + other + data[at + len(other) :]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED], ids=["stored", "deflated"])
def test_random_changes_of_the_zip_itself_are_found_or_change_no_member(place, method):
    dice = random.Random(SEED + method)
    members = made(ENTRIES)
    with zipfile.ZipFile(place, "w", method) as file:
        for name, data in members.items():
            file.writestr(name, data)
    whole, honest, found = place.read_bytes(), evidence(place), set()
    for number in range(ZIP_CASES // 2):
        place.write_bytes(bent(whole, dice))
        code, said = verdict(place)
        assert code in {WHOLE, TAMPERED, TRUNCATED, INCOMPLETE}, f"case {number}: {said}"
        assert code != WHOLE or evidence(place) == honest, f"case {number}"
        found.add(code)
    assert found >= {WHOLE, TAMPERED}
