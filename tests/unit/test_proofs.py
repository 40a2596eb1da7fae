"""The pages read the last proof of isolation from the file that is shipped with the code."""

from __future__ import annotations

from apps.trust import proofs


def test_the_shipped_proof_is_read_and_shows_no_foreign_row_and_no_living_mutant():
    proof = proofs.isolation()
    assert proof is not None
    assert proof.holds
    assert proof.foreign_rows == proof.load_wrong_rows == 0
    assert proof.mutants_killed == proof.mutants_total > 100
    assert proof.relations_covered < proof.relations_total < proof.cells
    assert len(proof.commit) == 40


def test_no_proof_is_told_from_a_good_one(tmp_path):
    assert proofs.isolation(tmp_path / "missing.json") is None
    broken = tmp_path / "broken.json"
    broken.write_text('{"sections": {}}')
    assert proofs.isolation(broken) is None
