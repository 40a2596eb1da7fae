"""Conditions and computed numbers: CEL, evaluated by the same code wherever a rule is asked.

CEL has no loops but comprehensions, and evaluation cannot be interrupted, so what could run long is refused before it
runs: nesting over 2, more than 4 comprehensions, more than 2,000 characters at compile time, lists over 200 when asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.utils.translation import gettext as _

from apps.tenants.refusals import Invalid

LONGEST_SOURCE = 2000
DEEPEST_NESTING = 2
MOST_COMPREHENSIONS = 4
LONGEST_LIST = 200
LARGEST_NUMBER = 2**53
COMPREHENSION = re.compile(r"\.\s*(?:all|exists|exists_one|map|filter)\s*\(")
TEXT = re.compile(r'[rRbB]{0,2}(?:"""|\'\'\'|"|\')')
FUNCTIONS = frozenset(
    {
        "size", "has", "all", "exists", "exists_one", "map", "filter", "sum", "startsWith", "endsWith", "contains",
        "int", "string", "min", "max",
    }
)  # fmt: skip


class ConditionError(Exception):
    """A condition could not be answered for these facts; whoever asks must fail closed."""


@dataclass(frozen=True)
class Condition:
    """A compiled expression over `data`, the answers by field."""

    source: str

    def holds(self, data: dict[str, Any]) -> bool:
        """Whether it is true. Raises ConditionError when it has no answer or is not a yes or no."""
        answer = self._ask(data)
        if not isinstance(answer, bool):
            raise ConditionError(_("The condition did not answer yes or no."))
        return answer

    def number(self, data: dict[str, Any]) -> int:
        """The integer it computes. Raises ConditionError when it has no answer or is no integer within ±2^53."""
        answer = self._ask(data)
        if isinstance(answer, bool) or not isinstance(answer, int) or abs(answer) > LARGEST_NUMBER:
            raise ConditionError(_("The formula did not give a whole number."))
        return answer

    def _ask(self, data: dict[str, Any]) -> Any:
        if longest(data) > LONGEST_LIST:
            raise ConditionError(_("A list has more than %(n)s rows.") % {"n": LONGEST_LIST})
        try:
            return _program(self.source).execute({"data": data, "sum": _sum})
        except Exception as error:
            # The library raises many kinds for what an expression does to its facts; none may pass as an answer.
            raise ConditionError(f"{type(error).__name__}: {error}") from None


def compile_condition(source: str, *, where: str) -> Condition:
    """Check an expression once, when it is published. Raises Invalid naming the place."""
    if fault := _fault(source):
        raise Invalid({where: [fault]})
    return Condition(source)


def longest(value: Any) -> int:
    """The length of the longest list anywhere in a value."""
    if isinstance(value, list):
        return max([len(value), *(longest(item) for item in value)])
    if isinstance(value, dict):
        return max([0, *(longest(item) for item in value.values())])
    return 0


@lru_cache(maxsize=1024)
def _program(source: str) -> Any:
    import cel  # here, since it brings a command line of its own, which takes long to load

    return cel.compile(source)


def _sum(values: list[Any]) -> int:
    if any(isinstance(value, bool) or not isinstance(value, int) for value in values):
        raise TypeError("sum takes whole numbers")
    return sum(values)


def _fault(source: Any) -> str:
    if not isinstance(source, str) or not source.strip():
        return _("Write a condition, such as data.total > 1500000.")
    if len(source) > LONGEST_SOURCE:
        return _("The condition is longer than %(n)s characters.") % {"n": LONGEST_SOURCE}
    if any(ord(char) == 0 for char in source):
        return _("The condition has a character that cannot be read.")
    depths = list(_depths(without_texts(source)))
    if len(depths) > MOST_COMPREHENSIONS or max(depths, default=0) > DEEPEST_NESTING:
        return _("The condition walks lists inside lists too often; it could run too long.")
    try:
        program = _program(source)
    except ValueError as error:
        return _("The condition does not compile: %(why)s") % {"why": _first_line(str(error))}
    names = {name for name in program.functions() if re.match(r"[A-Za-z]", name)}
    if unknown := sorted(names - FUNCTIONS):
        return _("There is no function %(name)s here.") % {"name": ", ".join(unknown)}
    return ""


def _first_line(text: str) -> str:
    found = re.search(r"ERROR: <input>:(\d+):(\d+): (.{1,160})", text)
    return f"{found[3]} (line {found[1]}, column {found[2]})" if found else text.splitlines()[0][:160]


def without_texts(source: str) -> str:
    """The source with every string literal emptied, so that parentheses in texts do not count."""
    kept, at = [], 0
    while found := TEXT.search(source, at):
        kept.append(source[at : found.start()])
        quote = found[0].lstrip("rRbB")
        raw = "r" in found[0].lower()
        end = found.end()
        while end < len(source) and not source.startswith(quote, end):
            end += 2 if source[end] == "\\" and not raw else 1
        kept.append('""')
        at = min(end + len(quote), len(source))
    return "".join([*kept, source[at:]])


def _depths(source: str) -> Iterator[int]:
    """For each comprehension, how deep it stands inside others; the outermost is 1."""
    starts = {found.end() - 1 for found in COMPREHENSION.finditer(source)}
    stack: list[bool] = []
    for index, char in enumerate(source):
        if char == "(":
            stack.append(index in starts)
            if index in starts:
                yield sum(stack)
        elif char == ")" and stack:
            stack.pop()
