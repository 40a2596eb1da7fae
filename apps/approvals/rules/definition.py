"""A path as JSON, checked and read into values. What is not supported is refused by name, never ignored."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from apps.tenants.refusals import Invalid

from ..conditions import Condition, compile_condition

MOST_STEPS = 30
MOST_APPROVERS = 20
MOST_BUSINESS_DAYS = 365
MOST_APPROVALS = 1000
LONGEST_GROUP = 40
KEY = re.compile(r"[a-z][a-z0-9_]{0,39}\Z")


class QuorumKind(Enum):
    ANY = "any"
    ALL = "all"
    COUNT = "count"


@dataclass(frozen=True)
class Quorum:
    """How many of those who are asked must approve; `n` counts for COUNT alone."""

    kind: QuorumKind
    n: int = 0


@dataclass(frozen=True)
class Approver:
    """A team, a tenant role, or one member, by id."""

    type: str
    id: str


@dataclass(frozen=True)
class Step:
    """One step of a path. Steps that share a group run in parallel; without a group a step runs alone.

    Whoever decided a step that `not_same_as` names is neither asked here nor may decide: four eyes.
    """

    key: str
    name: str
    approvers: tuple[Approver, ...]
    quorum: Quorum
    when: Condition
    due_business_days: int | None
    group: str
    not_same_as: tuple[str, ...] = ()

    @property
    def stage(self) -> tuple[str, str]:
        """Equal for the steps that run together; a group named like a step's key does not catch that step."""
        return ("group", self.group) if self.group else ("step", self.key)


class Reader:
    """Collects what is wrong, place by place, so that one answer names it all."""

    def __init__(self) -> None:
        self.errors: dict[str, list[Any]] = {}

    def wrong(self, place: str, text: str) -> None:
        self.errors.setdefault(place, []).append(text)

    def mapping(self, value: Any, place: str, known: set[str], needed: set[str]) -> dict[str, Any]:
        """The value as an object with only known keys; empty when it is none."""
        if not isinstance(value, dict):
            self.wrong(place, _("This must be an object."))
            return {}
        for key in sorted(set(value) - known):
            self.wrong(f"{place}.{key}", _("This is not supported here yet; leave it out."))
        for key in sorted(needed - set(value)):
            self.wrong(f"{place}.{key}", _("This is missing."))
        return value

    def text(self, value: Any, place: str, longest: int = 200) -> str:
        if not isinstance(value, str) or not value.strip() or len(value) > longest:
            self.wrong(place, _("This must be a text of 1 to %(n)s characters.") % {"n": longest})
            return ""
        if "\0" in value or any("\ud800" <= char <= "\udfff" for char in value):
            self.wrong(place, _("This has a character that cannot be stored."))
            return ""
        return value.strip()


def read_path(definition: Any, *, place: str = "path") -> tuple[Step, ...]:
    """The steps of a path definition. Raises Invalid with every fault and its place."""
    reader = Reader()
    path = reader.mapping(definition, place, {"steps"}, {"steps"})
    rows = path.get("steps", [])
    if not isinstance(rows, list) or not 1 <= len(rows) <= MOST_STEPS:
        reader.wrong(f"{place}.steps", _("A path has 1 to %(n)s steps.") % {"n": MOST_STEPS})
        rows = []
    steps = [_step(reader, row, f"{place}.steps.{index}") for index, row in enumerate(rows)]
    _check_keys(reader, steps, place)
    if reader.errors:
        raise Invalid(reader.errors)
    return tuple(steps)


def _step(reader: Reader, row: Any, place: str) -> Step:
    known = {"key", "name", "approvers", "quorum", "when", "due", "group", "not_same_as"}
    found = reader.mapping(row, place, known, {"key", "name", "approvers", "quorum"})
    key = found.get("key", "")
    if "key" in found and not (isinstance(key, str) and KEY.match(key)):
        reader.wrong(f"{place}.key", _("A key is lower-case letters, digits and _, starting with a letter."))
    return Step(
        key=str(key),
        name=reader.text(found["name"], f"{place}.name") if "name" in found else "",
        approvers=_approvers(reader, found.get("approvers", []), f"{place}.approvers"),
        quorum=_quorum(reader, found.get("quorum", {"kind": "any"}), f"{place}.quorum"),
        when=_when(reader, found.get("when", "true"), f"{place}.when"),
        due_business_days=_due(reader, found["due"], f"{place}.due") if "due" in found else None,
        group=reader.text(found["group"], f"{place}.group", LONGEST_GROUP) if "group" in found else "",
        not_same_as=_keys(reader, found.get("not_same_as", []), f"{place}.not_same_as"),
    )


def _approvers(reader: Reader, rows: Any, place: str) -> tuple[Approver, ...]:
    if not isinstance(rows, list) or not 1 <= len(rows) <= MOST_APPROVERS:
        reader.wrong(place, _("Name 1 to %(n)s approvers.") % {"n": MOST_APPROVERS})
        return ()
    made = []
    for index, row in enumerate(rows):
        at = f"{place}.{index}"
        found = reader.mapping(row, at, {"type", "id"}, {"type", "id"})
        kind, identity = str(found.get("type")), str(found.get("id", ""))
        if kind not in {"team", "role", "user"}:
            reader.wrong(f"{at}.type", _("An approver is a team, a role or a user."))
        elif kind == "role" and identity not in {"owner", "member"}:
            reader.wrong(f"{at}.id", _("A role that decides is owner or member."))
        elif kind != "role" and not _is_id(identity):
            reader.wrong(f"{at}.id", _("This is not an id."))
        else:
            made.append(Approver(kind, identity if kind == "role" else str(UUID(identity))))
    return tuple(made)


def _keys(reader: Reader, rows: Any, place: str) -> tuple[str, ...]:
    """Names of other steps; whether they stand earlier is checked when all steps are read."""
    if not isinstance(rows, list) or len(rows) > MOST_STEPS or not all(isinstance(row, str) for row in rows):
        reader.wrong(place, _("This must be a list of the keys of earlier steps."))
        return ()
    return tuple(rows)


def _quorum(reader: Reader, value: Any, place: str) -> Quorum:
    found = reader.mapping(value, place, {"kind", "n"}, {"kind"})
    kind, n = str(found.get("kind")), found.get("n", 0)
    if kind not in {item.value for item in QuorumKind}:
        if "kind" in found:
            text = _("A quorum is any, all or count; %(kind)s is not supported yet.") % {"kind": kind[:40]}
            reader.wrong(f"{place}.kind", text)
        return Quorum(QuorumKind.ALL)
    if kind != "count" and "n" in found:
        reader.wrong(f"{place}.n", _("Only a count has a number."))
    if kind == "count" and (isinstance(n, bool) or not isinstance(n, int) or not 1 <= n <= MOST_APPROVALS):
        reader.wrong(f"{place}.n", _("A count needs a whole number from 1 to %(n)s.") % {"n": MOST_APPROVALS})
        n = 1
    return Quorum(QuorumKind(kind), n if kind == "count" else 0)


def _when(reader: Reader, value: Any, place: str) -> Condition:
    try:
        return compile_condition(value, where=place)
    except Invalid as fault:
        reader.errors |= fault.errors
        return Condition("false")


def _due(reader: Reader, value: Any, place: str) -> int | None:
    found = reader.mapping(value, place, {"business_days"}, {"business_days"})
    days = found.get("business_days")
    if isinstance(days, bool) or not isinstance(days, int) or not 1 <= days <= MOST_BUSINESS_DAYS:
        reader.wrong(f"{place}.business_days", _("This must be 1 to %(n)s days.") % {"n": MOST_BUSINESS_DAYS})
        return None
    return days


def _check_keys(reader: Reader, steps: list[Step], place: str) -> None:
    seen: set[str] = set()
    stages: list[tuple[str, str]] = []
    for index, step in enumerate(steps):
        if step.key in seen:
            reader.wrong(f"{place}.steps.{index}.key", _("This key is used twice."))
        seen.add(step.key)
        if step.group and step.stage in stages[:-1] and step.stage != stages[-1]:
            reader.wrong(f"{place}.steps.{index}.group", _("Steps of a group must stand next to each other."))
        earlier = {other.key for other in steps[:index] if other.stage != step.stage}
        for position, key in enumerate(step.not_same_as):
            if key not in earlier:
                text = _("There is no step with this key before this one; steps of one group are asked together.")
                reader.wrong(f"{place}.steps.{index}.not_same_as.{position}", text)
        stages.append(step.stage)


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
