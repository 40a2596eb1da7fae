"""The doors as a whole, and that taking a guard out is noticed; `scripts/prove-isolation` takes out every one."""

from __future__ import annotations

import random

from tests.proof import doors

SEED, SAMPLE, ADDRESSES = 20261124, 12, 12


def test_every_door_answers_as_the_table_says_and_a_missing_guard_turns_its_cells_red(demo):
    people = doors.People.of(demo)
    cells, red = doors.red_without_mutants(people, most=ADDRESSES)
    assert red == []
    assert cells > 200
    mutants = doors.all_mutants()
    assert len(mutants) > 70
    assert {mutant.kind for mutant in mutants} == {
        "opened to anyone", "opened to any person", "dropped", "open to every method", "open to every size", "taken out",
    }  # fmt: skip
    chosen = [one for one in mutants if one.kind == "taken out"] + random.Random(SEED).sample(mutants, SAMPLE)
    assert [str(mutant) for mutant in chosen if not doors.killed_by(mutant, people)] == []
