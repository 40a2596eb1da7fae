"""What answers hold: which fields show, what the server computes, and what is wrong where, in the user's words.

The same function answers a page that is being filled, a page that is sent, and the API.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date, time
from typing import Any

import re2
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext as _
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError as SchemaError
from jsonschema.validators import extend

from apps.approvals.conditions import LONGEST_LIST, Condition, ConditionError, longest
from apps.audit import canonical

from .spec import Field, Kind, Spec

LARGEST_ANSWERS_BYTES = 512 * 1024


@dataclass(frozen=True)
class Known:
    """What answers may point at: ids of active members, and of files that this draft has."""

    people: Collection[str] = ()
    files: Collection[str] = ()


@dataclass
class Answers:
    """`data` without hidden fields and with computed numbers; `shown` names of fields; `errors` by place."""

    data: dict[str, Any]
    shown: set[str]
    required: set[str]
    errors: dict[str, list[str]] = field(default_factory=dict)


def read_answers(spec: Spec, given: Any, known: Known = Known()) -> Answers:
    """Judge answers; nothing is raised, every fault stands in `errors`."""
    if not isinstance(given, dict):
        return Answers({}, set(), set(), {"data": [_("Answers are an object of fields.")]})
    errors: dict[str, list[str]] = {}
    names = {item.name for item in spec.fields}
    for name in sorted(set(given) - names):
        errors[name] = [_("There is no such field.")]
    if fault := _size_fault(given):
        return Answers({}, set(), set(), errors | {"data": [fault]})
    data = {name: value for name, value in given.items() if name in names and not is_empty(value)}
    shown, required = _settle(spec, data)
    for item in spec.fields:
        if item.name in shown:
            for place, text in _faults(item, data, item.name in required, known):
                errors.setdefault(place, []).append(text)
    for place, text in demanded(spec, data):
        if place in shown:
            errors.setdefault(place, [text])
    return Answers(data, shown, required, errors)


def is_empty(value: Any) -> bool:
    """Whether a value is no answer at all."""
    return value is None or value == "" or value == []


def facts(spec: Spec, data: dict[str, Any]) -> dict[str, Any]:
    """Answers as conditions see them: a field without an answer is null, false, or an empty list, never missing."""
    return {item.name: _fact(item, data.get(item.name)) for item in spec.fields}


def _fact(item: Field, value: Any) -> Any:
    if value is None:
        blank: dict[Kind, Any] = {Kind.ROWS: [], Kind.CHOICES: [], Kind.FILE: [], Kind.YES_NO: False}
        return blank.get(item.kind)
    if item.kind is Kind.ROWS and isinstance(value, list):
        return [
            {column.name: _fact(column, row.get(column.name)) for column in item.columns}
            if isinstance(row, dict)
            else row
            for row in value
        ]
    return value


def _size_fault(given: dict[str, Any]) -> str:
    if longest(given) > LONGEST_LIST:
        return _("A list has more than %(n)s rows.") % {"n": LONGEST_LIST}
    try:
        size = len(canonical.encode(given))
    except (canonical.NotCanonical, RecursionError):
        return _("Only text, whole numbers, yes or no, and lists of these are taken.")
    return _("These answers are too large.") if size > LARGEST_ANSWERS_BYTES else ""


def _settle(spec: Spec, data: dict[str, Any]) -> tuple[set[str], set[str]]:
    """Compute numbers and drop hidden answers, field by field in order; what is hidden counts as unanswered."""
    for item in spec.fields:
        if item.computed is not None:
            data.pop(item.name, None)
    for item in spec.fields:
        if item.computed is not None:
            try:
                data[item.name] = item.computed.number(facts(spec, data))
            except ConditionError:
                continue
    shown = set()
    for item in spec.fields:
        if item.show_if is None or _holds(item.show_if, facts(spec, data), otherwise=False):
            shown.add(item.name)
        else:
            data.pop(item.name, None)
    now = facts(spec, data)
    required = {
        item.name
        for item in spec.fields
        if item.name in shown
        and (item.required or (item.required_if is not None and _holds(item.required_if, now, otherwise=True)))
    }
    return shown, required


def _holds(condition: Condition, now: dict[str, Any], *, otherwise: bool) -> bool:
    try:
        return condition.holds(now)
    except ConditionError:
        return otherwise


def _faults(item: Field, data: dict[str, Any], required: bool, known: Known) -> list[tuple[str, str]]:
    value = data.get(item.name)
    if value is None:
        if item.computed is not None:
            return [(item.name, _("This cannot be computed from the answers yet."))]
        return [(item.name, _missing(item))] if required else []
    return _value_faults(item, value, item.name, known)


def demanded(spec: Spec, data: dict[str, Any]) -> list[tuple[str, str]]:
    """Files and rows that are needed for these answers and not there at all."""
    now = facts(spec, data)
    return [
        (item.name, demand.message)
        for item in spec.fields
        for demand in item.demands
        if _count(now[item.name]) < demand.at_least and _holds(demand.when, now, otherwise=True)
    ]


def _count(value: Any) -> int:
    """How many there are; what is no list is a fault of its own and counts as none."""
    return len(value) if isinstance(value, list) else 0


def _missing(item: Field) -> str:
    if item.kind in {Kind.CHOICE, Kind.CHOICES, Kind.PERSON, Kind.YES_NO}:
        return _("Choose: %(label)s") % {"label": item.label}
    if item.kind is Kind.FILE:
        return _("Attach a file: %(label)s") % {"label": item.label}
    return _("Enter: %(label)s") % {"label": item.label}


def _value_faults(item: Field, value: Any, place: str, known: Known) -> list[tuple[str, str]]:
    if item.kind is Kind.ROWS:
        return _row_faults(item, value, place, known)
    for error in _Validator(item.schema).iter_errors(value):
        return [(place, _words(item, error))]
    if fault := _reference_fault(item, value, known):
        return [(place, fault)]
    return []


def _row_faults(item: Field, rows: Any, place: str, known: Known) -> list[tuple[str, str]]:
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        return [(place, _("These are rows, each an object."))]
    found: list[tuple[str, str]] = []
    bounds = {key: item.schema[key] for key in ("minItems", "maxItems") if key in item.schema}
    for error in _Validator(bounds).iter_errors(rows):
        found.append((place, _words(item, error)))
    names = {column.name for column in item.columns}
    for index, row in enumerate(rows):
        found += [(f"{place}.{index}.{name}", _("There is no such field.")) for name in sorted(set(row) - names)]
        for column in item.columns:
            value, at = row.get(column.name), f"{place}.{index}.{column.name}"
            if is_empty(value):
                found += [(at, _missing(column))] if column.required else []
            else:
                found += _value_faults(column, value, at, known)
    return found


def _reference_fault(item: Field, value: Any, known: Known) -> str:
    if item.kind is Kind.PERSON and value not in known.people:
        return _("Choose an active member.")
    if item.kind is Kind.FILE and not set(value) <= set(known.files):
        return _("A file of this list is not attached here.")
    if item.kind is Kind.DATE and not _parses(date.fromisoformat, value):
        return _("Enter a real date, such as 2026-12-18.")
    if item.kind is Kind.TIME and not _parses(time.fromisoformat, value):
        return _("Enter a time, such as 14:30.")
    if item.kind is Kind.EMAIL:
        try:
            validate_email(value)
        except ValidationError:
            return _("Enter an e-mail address, such as name@example.org.")
    return ""


def _parses(read: Any, value: str) -> bool:
    try:
        read(value)
    except ValueError:
        return False
    return True


def _words(item: Field, error: SchemaError) -> str:
    """One fault of the schema, in the words of the person who fills the form."""
    limit = error.validator_value
    return {
        "type": _wrong_type(item),
        "const": _("This must be confirmed: %(label)s") % {"label": item.label},
        "oneOf": _("Choose one of the options."),
        "enum": _("Choose one of the options."),
        "minLength": _("Write at least %(n)s characters.") % {"n": limit},
        "maxLength": _("Write at most %(n)s characters.") % {"n": limit},
        "pattern": _("This does not have the form that is asked for: %(hint)s") % {"hint": item.hint or limit},
        "minimum": _("This must be %(n)s or more.") % {"n": _amount(item, limit)},
        "maximum": _("This must be %(n)s or less.") % {"n": _amount(item, limit)},
        "minItems": _("At least %(n)s needed.") % {"n": limit},
        "maxItems": _("At most %(n)s possible.") % {"n": limit},
        "uniqueItems": _("Each of these only once."),
    }.get(str(error.validator), _("This answer does not fit."))


def _amount(item: Field, limit: Any) -> Any:
    return f"{limit / 100:,.2f}" if item.kind is Kind.MONEY and isinstance(limit, int) else limit


def _wrong_type(item: Field) -> str:
    return {
        Kind.INTEGER: _("Enter a whole number."),
        Kind.MONEY: _("Enter an amount, such as 1250.00."),
        Kind.YES_NO: _("Answer yes or no."),
        Kind.CHOICES: _("Choose from the list."),
        Kind.FILE: _("Attach files here."),
    }.get(item.kind, _("Enter a text."))


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Any:
    """RE2 instead of Python's engine, which a pattern could keep busy for ever."""
    if isinstance(instance, str) and not re2.search(pattern, instance):
        yield SchemaError(f"{instance!r} does not match {pattern!r}")


_Validator = extend(Draft202012Validator, {"pattern": _pattern})
