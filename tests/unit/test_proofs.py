"""The pages read the last proof of isolation from the file that is shipped with the code."""

from __future__ import annotations

import json

import pytest

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


PLACES = {"/security": "nobody", "settings/security/": "the owner"}


@pytest.mark.parametrize("place", PLACES)
def test_both_pages_show_the_figures_and_say_when_there_are_none_or_they_do_not_hold(
    acme, browse, client_of, tmp_path, monkeypatch, place
):
    def page() -> str:
        door, address = (client_of, place) if place.startswith("/") else (browse(acme.owner), acme.url(place))
        return " ".join(door.get(address).content.decode().split())

    proof = proofs.isolation()
    assert proof is not None
    text = page()
    assert f"<code>{proof.commit[:12]}</code>" in text
    assert f"{proof.relations_covered} of {proof.relations_total}; the others have no policies" in text
    assert f"{proof.date:%Y-%m-%d %H:%M} UTC, version {proof.version}" in text
    assert "The last proof" in text
    assert "does not hold" not in text
    report = json.loads(proofs.REPORT.read_text())
    report |= {"holds": True, "red": ["accounts_team: select as orkestra_app read 1"], "is_exact_commit": False}
    report["sections"]["catalogue"]["foreign_rows"] = 4711
    monkeypatch.setattr(proofs, "REPORT", tmp_path / "isolation.json")
    assert "No report of a proof" in page()
    proofs.REPORT.write_text(json.dumps(report))
    text = page()
    assert "does not hold" in text
    assert "4,711" in text
    assert "with changes that were not committed" in text
