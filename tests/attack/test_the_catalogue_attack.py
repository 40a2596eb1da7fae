"""Every relation of the catalogue under attack: each command as each role, unbound, wrong, expired, forged and as a rival.

`scripts/prove-isolation` does the same with a session of each role, and tries every mutant.
"""

from __future__ import annotations

import random

import pytest

from tests.proof import cells, mutants
from tests.proof.arena import BINDINGS, arena


@pytest.fixture
def ring(wall):
    with arena() as made:
        yield made


def test_no_cell_of_the_catalogue_shows_or_changes_a_foreign_row(ring, capsys):
    total = cells.Result()
    for table in ring.attacked:
        total.add(cells.everything(ring, table))
    with capsys.disabled():
        print(
            f"\n{total.relations} of {len(ring.relations)} relations, {total.cells} cells, "
            f"{total.foreign_rows} foreign rows, {total.across} cells of roles that read across by declaration"
        )
    assert total.red == []
    assert total.foreign_rows == 0
    assert total.cells > total.relations * len(BINDINGS) * len(cells.COMMANDS)
    assert {"OR403", "42501", "no row"} <= set(total.states)


def test_a_sample_of_mutants_of_every_kind_is_noticed_by_the_cells_of_its_relation(ring):
    chosen = random.Random(4)
    every = mutants.all_mutants(ring)
    kinds = sorted({mutant.kind for mutant in every})
    assert kinds == ["dropped policy", "function", "key without tenant", "manager", "no", "opened policy"]
    for kind in kinds:
        for mutant in chosen.sample([mutant for mutant in every if mutant.kind == kind], 3):
            assert mutants.killed_by(ring, mutant), str(mutant)
    for table in {"accounts_team", "accounts_user"}:
        assert cells.everything(ring, table).red == []
