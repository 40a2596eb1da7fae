"""Every kind of act that may be recorded: its words, what an entry of it means, its facts, and since when.

Filled by each room when it is ready. A page and the API list it, and tests compare it with the code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from apps.tenants.refusals import Text

FIRST = "0.1"


@dataclass(frozen=True)
class Act:
    """A kind of act: `fields` are the names that its facts may have, `since` the first version that records it."""

    title: Text
    meaning: Text = ""
    fields: tuple[str, ...] = ()
    since: str = FIRST


class Named(NamedTuple):
    """An act with the name that entries carry."""

    name: str
    act: Act


_acts: dict[str, Act] = {}


def register(actions: Mapping[str, Act | Text]) -> None:
    """Add a room's acts, plain words standing for an act without more; a name that is taken raises ValueError."""
    if taken := set(actions) & set(_acts):
        raise ValueError(f"Registered twice: {sorted(taken)}")
    _acts.update({name: act if isinstance(act, Act) else Act(act) for name, act in actions.items()})


def title(action: str) -> Text:
    """The words for an act; its name when a later version no longer knows it."""
    found = _acts.get(action)
    return action if found is None else found.title


def known() -> dict[str, Text]:
    """The words of all acts by name."""
    return {name: act.title for name, act in listed()}


def listed() -> list[Named]:
    """All acts by name."""
    return [Named(name, act) for name, act in sorted(_acts.items())]
