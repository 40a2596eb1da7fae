"""`scripts/prove-audit`: every attack, crash and fuzz at full size, and verification by code that nobody here wrote."""

from __future__ import annotations

import base64
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from apps.audit import note, tree
from apps.audit.statements import Head, text_of

ROOT = Path(__file__).resolve().parents[2]
TESTS = (
    "tests/attack/test_the_audit_log.py",
    "tests/attack/test_the_log_of_checkpoints.py",
    "tests/attack/test_heads_by_another_key.py",
    "tests/attack/test_keys_of_before.py",
    "tests/attack/test_receipts_that_nobody_signed.py",
    "tests/attack/test_odd_places_and_times.py",
    "tests/attack/test_spans.py",
    "tests/attack/test_acts_never_logged.py",
    "tests/attack/test_pruning.py",
    "tests/attack/test_rows_turned_round.py",
    "tests/faults/test_anchors.py",
    "tests/faults/test_anchor_places.py",
    "tests/faults/test_the_sealer_dies.py",
    "tests/unit/test_the_verifier.py",
    "tests/unit/test_the_verifier_under_attack.py",
    "tests/unit/test_the_verifiers_zip.py",
    "tests/unit/test_audit_tree.py",
    "tests/unit/test_audit_checkpoints.py",
    "tests/unit/test_canonical.py",
    "tests/api/test_audit_privacy.py",
    "tests/api/test_erasing_outsiders.py",
)
FUZZ_CASES = 100_000
SIZE, SAMPLES, SEED = 5000, 400, 20261124
GO_PACKAGES = Path("/usr/share/gocode")
ORIGIN = "example.org/audit/interoperability"


def main() -> int:
    """0 when everything held; writes docs/proofs/audit.json and .md."""
    cases = int(os.environ.get("ORKESTRA_FUZZ_CASES", FUZZ_CASES))
    found = {
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "commit": _said(["git", "rev-parse", "HEAD"]),
        "is_exact_commit": not _said(["git", "status", "--porcelain", "--untracked-files=no"]),
        "fuzz_cases": cases,
        "fuzz_cases_at_full_size": FUZZ_CASES,
        "go": go(),
        "tests": tests(cases),
    }
    folder = ROOT / "docs" / "proofs"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "audit.json").write_text(json.dumps(found, indent=1) + "\n")
    (folder / "audit.md").write_text(page(found))
    held = all(test["outcome"] == "held" for test in found["tests"]) and found["go"]["outcome"] != "failed"
    print("Everything held." if held else "Something did NOT hold; see docs/proofs/audit.md.")
    return 0 if held else 1


def tests(cases: int) -> list[dict[str, Any]]:
    """Run the tests on servers of their own; each with its outcome."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "orkestra.runtime", "with-servers", "--", sys.executable, "-m", "pytest"]
        command += [f"--junitxml={report}", *TESTS]
        subprocess.run(command, cwd=ROOT, env=os.environ | {"ORKESTRA_FUZZ_CASES": str(cases)}, check=False)
        rows = ElementTree.parse(report).getroot().iter("testcase")
        return [
            {
                "test": row.get("name", "").removeprefix("test_").replace("_", " "),
                "seconds": round(float(row.get("time", 0)), 2),
                "outcome": "held" if len(row) == 0 or {part.tag for part in row} <= {"system-out"} else "failed",
            }
            for row in rows
        ]


def go() -> dict[str, Any]:
    """golang.org/x/mod/sumdb over a checkpoint, inclusion and consistency proofs of ours, and over damaged ones."""
    if not shutil.which("go") or not (GO_PACKAGES / "src/golang.org/x/mod/sumdb").is_dir():
        return {"outcome": "not run", "why": "Debian's golang-go and golang-golang-x-mod-dev are not installed."}
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "src" / "verify"
        place.mkdir(parents=True)
        shutil.copy(Path(__file__).with_name("verify.go"), place / "main.go")
        environment = os.environ | {
            "GO111MODULE": "off", "GOFLAGS": "", "GOPATH": f"{folder}:{GO_PACKAGES}", "GOCACHE": f"{folder}/cache",
        }  # fmt: skip
        program = Path(folder) / "program"
        subprocess.run(["go", "build", "-o", str(program), "."], cwd=place, env=environment, check=True)
        case, started = a_case(), time.monotonic()
        said = _verdict(program, case)
        refused = [name for name, damaged in damages(case) if _verdict(program, damaged) is None]
        everything = [name for name, _damaged in damages(case)]
        return {
            "outcome": "held" if said and refused == everything else "failed",
            "version": _said(["go", "version"]),
            "said": said,
            "refused": refused,
            "entries": SIZE,
            "seconds": round(time.monotonic() - started, 2),
        }


def _verdict(program: Path, case: dict[str, Any]) -> str | None:
    done = subprocess.run([str(program)], input=json.dumps(case), capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def a_case() -> dict[str, Any]:
    """What our code signs and proves over a log of SIZE entries."""
    dice, key = random.Random(SEED), Ed25519PrivateKey.generate()
    bodies = [json.dumps({"n": number}).encode() for number in range(SIZE)]
    leaves = [tree.leaf_hash(body) for body in bodies]

    def read(nodes: Sequence[tree.Node]) -> list[bytes]:
        return [tree.perfect_hash(leaves[index << level : (index + 1) << level]) for level, index in nodes]

    inclusions, consistency = [], []
    for index in [0, SIZE - 1, *(dice.randrange(SIZE) for _ in range(SAMPLES))]:
        proof = [text_of(part) for part in tree.prove_inclusion(index, SIZE, read)]
        inclusions.append({"index": index, "body": base64.b64encode(bodies[index]).decode(), "proof": proof})
    for _ in range(SAMPLES):
        new = dice.randrange(1, SIZE + 1)
        old = dice.randrange(1, new + 1)
        roots = {"from_root": text_of(tree.root(old, read)), "to_root": text_of(tree.root(new, read))}
        proof = [text_of(part) for part in tree.prove_consistency(old, new, read)]
        consistency.append({"from": old, "to": new, "proof": proof, **roots})
    return {
        "checkpoint": note.sign(Head(ORIGIN, SIZE, tree.root(SIZE, read)).text(), [note.Signer(ORIGIN, key)]),
        "key": note.verifier_key(ORIGIN, note.raw_public(key.public_key())),
        "inclusions": inclusions,
        "consistency": consistency,
    }


def damages(case: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """The case with one thing changed; the other implementation must refuse each."""
    other = text_of(bytes(32))
    first, second = case["inclusions"][2], case["consistency"][0]
    return [
        ("another size in the checkpoint", case | {"checkpoint": case["checkpoint"].replace(f"\n{SIZE}\n", f"\n{SIZE - 1}\n")}),
        ("another entry", case | {"inclusions": [first | {"body": base64.b64encode(b"x").decode()}]}),
        ("another place", case | {"inclusions": [first | {"index": first["index"] ^ 1}]}),
        ("another hash in a proof", case | {"inclusions": [first | {"proof": [other, *first["proof"][1:]]}]}),
        ("another past", case | {"consistency": [second | {"from_root": other}]}),
    ]  # fmt: skip


def page(found: dict[str, Any]) -> str:
    """The same for people."""
    lines = ["# What was proved about the audit log", "", f"Run by `scripts/prove-audit` at {found['date']}, "
             f"commit {found['commit'][:12]}{'' if found['is_exact_commit'] else ' with changes that were not committed'}, "
             f"{found['fuzz_cases']} fuzz cases of {FUZZ_CASES} at full size.", ""]  # fmt: skip
    lines += ["## By an implementation of others", "", f"golang.org/x/mod/sumdb: **{found['go']['outcome']}**. "
              f"{found['go'].get('said') or found['go'].get('why')}", ""]  # fmt: skip
    lines += [f"- refused: {name}" for name in found["go"].get("refused", [])]
    lines += ["", "## Attacks, crashes and fuzz", "", "| what | outcome | seconds |", "| --- | --- | ---: |"]
    lines += [f"| {test['test']} | {test['outcome']} | {test['seconds']} |" for test in found["tests"]]
    return "\n".join(lines) + "\n"


def _said(command: list[str]) -> str:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()


if __name__ == "__main__":
    raise SystemExit(main())
