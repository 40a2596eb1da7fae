"""Which steps open next. Steps run in the order of their groups; a group opens together and ends together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from django.utils.translation import gettext as _

from ..conditions import ConditionError
from .definition import Step

FINISHED = frozenset({"approved", "skipped"})


@dataclass(frozen=True)
class Next:
    """What happens now: steps to open, steps whose condition does not hold, or one that cannot be answered."""

    open: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    stuck: str = ""
    reason: str = ""

    @property
    def ends(self) -> bool:
        """Whether the path is at its end."""
        return not self.open and not self.stuck


def after(steps: Sequence[Step], states: Mapping[str, str], facts: dict[str, Any]) -> Next:
    """What follows once every step that was opened is finished.

    A condition without an answer stops the path, and so does a path of which no step applies: nothing is approved
    without a person who approved it.
    """
    skipped: list[str] = []
    for _stage, members in groupby(steps, key=lambda step: step.stage):
        waiting = [step for step in members if states.get(step.key, "waiting") not in FINISHED]
        opening: list[str] = []
        for step in waiting:
            try:
                holds = step.when.holds(facts)
            except ConditionError as error:
                return Next(skip=tuple(skipped), stuck=step.key, reason=str(error))
            (opening if holds else skipped).append(step.key)
        if opening:
            return Next(open=tuple(opening), skip=tuple(skipped))
    if "approved" not in states.values():
        return Next(skip=tuple(skipped[:-1]), stuck=steps[-1].key, reason=_("No step of the path applies."))
    return Next(skip=tuple(skipped))
