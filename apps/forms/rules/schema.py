"""Which JSON Schema (2020-12) a form may have: a small, named part of it. Anything else is refused at its place."""

from __future__ import annotations

import re
from typing import Any

import re2
from django.utils.translation import gettext as _

from apps.approvals.rules.definition import Reader

NAME = re.compile(r"[a-z][a-z0-9_]{0,39}\Z")
MOST_FIELDS = 200
MOST_COLUMNS = 12
MOST_OPTIONS = 200
MOST_ROWS = 200
LONGEST_PATTERN = 500
LONGEST_TEXT = 20_000
ANNOTATIONS = {"type", "title", "description"}
STRING_FORMATS = {"date", "time", "email", "person"}
KEYWORDS: dict[str, set[str]] = {
    "string": ANNOTATIONS | {"minLength", "maxLength", "pattern", "format", "oneOf", "enum"},
    "integer": ANNOTATIONS | {"minimum", "maximum", "format"},
    "boolean": ANNOTATIONS | {"const"},
    "array": ANNOTATIONS | {"items", "minItems", "maxItems", "uniqueItems"},
}
ROOT = {"$schema", "type", "title", "description", "properties", "required", "additionalProperties"}
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def check_schema(reader: Reader, schema: Any, place: str = "schema") -> dict[str, Any]:
    """Note every fault; returns the properties that can be read."""
    root = reader.mapping(schema, place, ROOT, {"type", "properties"})
    if root.get("type", "object") != "object":
        reader.wrong(f"{place}.type", _("A form is an object."))
    if root.get("$schema", DIALECT) != DIALECT:
        reader.wrong(f"{place}.$schema", _("Only JSON Schema 2020-12 is read here."))
    if root.get("additionalProperties", False) is not False:
        reader.wrong(
            f"{place}.additionalProperties", _("Answers to unknown fields are never accepted; leave this out.")
        )
    properties = _properties(reader, root.get("properties", {}), f"{place}.properties", MOST_FIELDS)
    for name, value in properties.items():
        check_property(reader, value, f"{place}.properties.{name}", nested=False)
    _check_required(reader, root.get("required", []), properties, f"{place}.required")
    return {name: value for name, value in properties.items() if isinstance(value, dict)}


def check_property(reader: Reader, value: Any, place: str, *, nested: bool) -> None:
    """One field, or one column of repeated rows."""
    if not isinstance(value, dict):
        reader.wrong(place, _("This must be an object."))
        return
    kind = value.get("type")
    if not isinstance(kind, str) or kind not in KEYWORDS or (nested and kind == "array"):
        reader.wrong(f"{place}.type", _("A field is a string, integer, boolean or array; a column is no array."))
        return
    reader.mapping(value, place, KEYWORDS[kind], {"type"})
    if "title" in value:
        reader.text(value["title"], f"{place}.title", 200)
    if "description" in value:
        reader.text(value["description"], f"{place}.description", 1000)
    {"string": _check_string, "integer": _check_integer, "boolean": _check_boolean, "array": _check_array}[kind](
        reader, value, place
    )


def _properties(reader: Reader, value: Any, place: str, most: int) -> dict[str, Any]:
    if not isinstance(value, dict) or not 1 <= len(value) <= most:
        reader.wrong(place, _("There must be 1 to %(n)s of these.") % {"n": most})
        return {}
    for name in value:
        if not NAME.match(name):
            reader.wrong(f"{place}.{name}", _("A name is lower-case letters, digits and _, starting with a letter."))
    return value


def _check_required(reader: Reader, value: Any, properties: dict[str, Any], place: str) -> None:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        reader.wrong(place, _("This must be a list of names."))
        return
    for index, name in enumerate(value):
        if name not in properties:
            reader.wrong(f"{place}.{index}", _("There is no field %(name)s.") % {"name": name})


def _check_string(reader: Reader, value: dict[str, Any], place: str) -> None:
    _check_range(reader, value, place, "minLength", "maxLength", 0, LONGEST_TEXT)
    if value.get("format", "email") not in STRING_FORMATS:
        reader.wrong(
            f"{place}.format", _("A format is one of: %(known)s.") % {"known": ", ".join(sorted(STRING_FORMATS))}
        )
    if "oneOf" in value:
        _check_options(reader, value["oneOf"], f"{place}.oneOf")
    if "enum" in value:
        names = value["enum"]
        texts = isinstance(names, list) and 1 <= len(names) <= MOST_OPTIONS and all(isinstance(n, str) for n in names)
        if not texts or len(set(names)) != len(names):
            reader.wrong(f"{place}.enum", _("These are texts, each once."))
    if "pattern" in value and (fault := pattern_fault(value["pattern"])):
        reader.wrong(f"{place}.pattern", fault)


def pattern_fault(pattern: Any) -> str:
    """What is wrong with a pattern; empty when RE2, which cannot run away, takes it."""
    if not isinstance(pattern, str) or len(pattern) > LONGEST_PATTERN:
        return _("A pattern is a text of at most %(n)s characters.") % {"n": LONGEST_PATTERN}
    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(pattern, options=options)
    except re2.error as error:
        return _("This pattern is not supported (RE2): %(why)s") % {"why": _text(error)}
    return ""


def _text(error: Exception) -> str:
    first = error.args[0] if error.args else ""
    return first.decode(errors="replace") if isinstance(first, bytes) else str(first)


def _check_integer(reader: Reader, value: dict[str, Any], place: str) -> None:
    _check_range(reader, value, place, "minimum", "maximum", -(2**53), 2**53)
    if value.get("format", "money") != "money":
        reader.wrong(f"{place}.format", _("The only format of a number is money."))


def _check_boolean(reader: Reader, value: dict[str, Any], place: str) -> None:
    if "const" in value and value["const"] is not True:
        reader.wrong(f"{place}.const", _("Only true can be demanded of a yes or no."))


def _check_array(reader: Reader, value: dict[str, Any], place: str) -> None:
    _check_range(reader, value, place, "minItems", "maxItems", 0, MOST_ROWS)
    if not isinstance(value.get("uniqueItems", False), bool):
        reader.wrong(f"{place}.uniqueItems", _("This is true or false."))
    items, at = value.get("items"), f"{place}.items"
    if not isinstance(items, dict):
        reader.wrong(at, _("This must be an object."))
    elif items.get("type") == "object":
        found = reader.mapping(items, at, {"type", "properties", "required", "additionalProperties"}, {"properties"})
        columns = _properties(reader, found.get("properties", {}), f"{at}.properties", MOST_COLUMNS)
        for name, column in columns.items():
            check_property(reader, column, f"{at}.properties.{name}", nested=True)
        _check_required(reader, found.get("required", []), columns, f"{at}.required")
    elif items.get("type") == "string" and items.get("format") == "attachment":
        reader.mapping(items, at, {"type", "format"}, {"type"})
    elif items.get("type") == "string" and "oneOf" in items:
        reader.mapping(items, at, {"type", "oneOf"}, {"type"})
        _check_options(reader, items["oneOf"], f"{at}.oneOf")
    else:
        reader.wrong(at, _("A list holds rows (object), files (format attachment) or choices (oneOf)."))


def _check_options(reader: Reader, value: Any, place: str) -> None:
    if not isinstance(value, list) or not 1 <= len(value) <= MOST_OPTIONS:
        reader.wrong(place, _("There must be 1 to %(n)s of these.") % {"n": MOST_OPTIONS})
        return
    seen: set[str] = set()
    for index, row in enumerate(value):
        at = f"{place}.{index}"
        found = reader.mapping(row, at, {"const", "title"}, {"const", "title"})
        const = found.get("const")
        if not isinstance(const, str) or not const or len(const) > 100 or const in seen:
            reader.wrong(f"{at}.const", _("A choice has a text of its own."))
        seen.add(str(const))
        if "title" in found:
            reader.text(found["title"], f"{at}.title", 300)


def _check_range(reader: Reader, value: dict[str, Any], place: str, low: str, high: str, least: int, most: int) -> None:
    for name in (low, high):
        number = value.get(name, least)
        if isinstance(number, bool) or not isinstance(number, int) or not least <= number <= most:
            reader.wrong(
                f"{place}.{name}", _("This must be a whole number from %(a)s to %(b)s.") % {"a": least, "b": most}
            )
            return
    if value.get(low, least) > value.get(high, most):
        reader.wrong(f"{place}.{low}", _("The lower bound is above the upper one."))
