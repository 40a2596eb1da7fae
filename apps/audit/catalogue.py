"""Every kind of act that may be recorded, with the words that pages show for it. Filled by each room when it is ready."""

from __future__ import annotations

from collections.abc import Mapping

from apps.tenants.refusals import Text

_titles: dict[str, Text] = {}


def register(actions: Mapping[str, Text]) -> None:
    """Add a room's acts; a name that is taken raises ValueError."""
    if taken := set(actions) & set(_titles):
        raise ValueError(f"Registered twice: {sorted(taken)}")
    _titles.update(actions)


def title(action: str) -> Text:
    """The words for an act; its name when a later version no longer knows it."""
    return _titles.get(action, action)


def known() -> dict[str, Text]:
    """All acts by name."""
    return dict(sorted(_titles.items()))
