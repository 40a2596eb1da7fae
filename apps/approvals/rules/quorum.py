"""What a step's votes add up to. One rejection ends a step; the number of people asked is frozen when it opens."""

from __future__ import annotations

from enum import Enum

from .definition import Quorum, QuorumKind


class Outcome(Enum):
    OPEN = "open"
    APPROVED = "approved"
    REJECTED = "rejected"


def needed(quorum: Quorum, eligible: int) -> int:
    """How many approvals the step takes, of so many people asked."""
    if quorum.kind is QuorumKind.ANY:
        return 1
    return eligible if quorum.kind is QuorumKind.ALL else quorum.n


def is_possible(quorum: Quorum, eligible: int) -> bool:
    """Whether so many people can ever meet the quorum; if not, the step fails closed."""
    return eligible >= 1 and needed(quorum, eligible) <= eligible


def outcome(quorum: Quorum, eligible: int, *, approvals: int, rejections: int) -> Outcome:
    """The step's state after these votes."""
    if rejections:
        return Outcome.REJECTED
    return Outcome.APPROVED if approvals >= needed(quorum, eligible) else Outcome.OPEN
