"""A form as one value: its fields in order, read from schema and ui after both were checked."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from django.utils.translation import gettext as _

from apps.approvals.conditions import Condition, compile_condition
from apps.approvals.rules.definition import Reader
from apps.audit import canonical
from apps.tenants.refusals import Invalid

from .schema import MOST_ROWS, check_schema

UI = {"sections", "fields", "reference", "summary", "contact"}
FIELD_UI = {"widget", "show_if", "required_if", "computed", "currency", "demands", "never_send"}
WIDGETS = {"textarea", "radio", "select"}


class Kind(Enum):
    TEXT = "text"
    LONG_TEXT = "long_text"
    INTEGER = "integer"
    MONEY = "money"
    DATE = "date"
    TIME = "time"
    CHOICE = "choice"
    CHOICES = "choices"
    YES_NO = "yes_no"
    EMAIL = "email"
    FILE = "file"
    PERSON = "person"
    ROWS = "rows"


@dataclass(frozen=True)
class Demand:
    """So many files or rows are needed where the condition holds."""

    when: Condition
    at_least: int
    message: str


@dataclass(frozen=True)
class Field:
    """One question; `columns` only for repeated rows, `options` only for choices; `is_withheld` keeps the answer from
    every model (`never_send` in the ui)."""

    name: str
    kind: Kind
    label: str
    hint: str
    schema: dict[str, Any]
    required: bool = False
    options: tuple[tuple[str, str], ...] = ()
    columns: tuple[Field, ...] = ()
    show_if: Condition | None = None
    required_if: Condition | None = None
    computed: Condition | None = None
    currency: str = ""
    widget: str = ""
    demands: tuple[Demand, ...] = ()
    is_withheld: bool = False


@dataclass(frozen=True)
class Section:
    title: str
    description: str
    fields: tuple[Field, ...]


@dataclass(frozen=True)
class Spec:
    """A whole form. `reference` is the prefix of its reference numbers, `summary` the field that names a submission.

    `contact` is the field in which somebody outside leaves an address; where it is an e-mail, mails go there.
    """

    sections: tuple[Section, ...]
    reference: str
    summary: str
    contact: str = ""
    schema: dict[str, Any] = field(hash=False, compare=False, default_factory=dict)

    @property
    def fields(self) -> tuple[Field, ...]:
        return tuple(item for section in self.sections for item in section.fields)


def digest(schema: dict[str, Any], ui: dict[str, Any]) -> str:
    """The SHA-256 of a form's schema and ui, hex."""
    return hashlib.sha256(canonical.encode({"schema": schema, "ui": ui})).hexdigest()


def read_spec(schema: Any, ui: Any) -> Spec:
    """Check a schema and its ui, and read them. Raises Invalid with every fault and its place."""
    reader = Reader()
    properties = check_schema(reader, schema)
    looks = reader.mapping({} if ui is None else ui, "ui", UI, set())
    fields_ui = reader.mapping(looks.get("fields", {}), "ui.fields", set(properties), set())
    try:
        canonical.encode({"schema": schema, "ui": ui or {}})
    except canonical.NotCanonical as fault:
        reader.wrong(
            str(fault).split(":", 1)[0].removeprefix("entry."), _("Only whole numbers and plain keys are taken.")
        )
    if reader.errors:
        raise Invalid(reader.errors)
    required = set(schema.get("required", []))
    made = {
        name: _field(reader, name, value, name in required, fields_ui.get(name, {}), f"ui.fields.{name}")
        for name, value in properties.items()
    }
    sections = _sections(reader, looks.get("sections"), made)
    spec = Spec(
        sections, _reference(reader, looks), _summary(reader, looks, made), _contact(reader, looks, made), schema
    )
    if reader.errors:
        raise Invalid(reader.errors)
    return spec


def _kind(schema: dict[str, Any], widget: str) -> Kind:
    kind, style = schema["type"], schema.get("format", "")
    if kind == "string":
        if "oneOf" in schema or "enum" in schema:
            return Kind.CHOICE
        return Kind.LONG_TEXT if widget == "textarea" else Kind(style) if style else Kind.TEXT
    if kind == "integer":
        return Kind.MONEY if style == "money" else Kind.INTEGER
    if kind == "boolean":
        return Kind.YES_NO
    items = schema["items"]
    return Kind.ROWS if items["type"] == "object" else Kind.FILE if "format" in items else Kind.CHOICES


def _field(reader: Reader, name: str, schema: dict[str, Any], required: bool, looks: Any, place: str) -> Field:
    look = reader.mapping(looks, place, FIELD_UI, set())
    widget = look.get("widget", "")
    if widget and widget not in WIDGETS:
        reader.wrong(f"{place}.widget", _("A widget is one of: %(known)s.") % {"known": ", ".join(sorted(WIDGETS))})
    kind = _kind(schema, str(widget))
    if "computed" in look and kind not in {Kind.INTEGER, Kind.MONEY}:
        reader.wrong(f"{place}.computed", _("Only a number can be computed."))
    currency = look.get("currency", "USD" if kind in {Kind.MONEY, Kind.ROWS} else "")
    if not isinstance(currency, str) or len(currency) not in {0, 3}:
        reader.wrong(f"{place}.currency", _("A currency is three letters, such as USD."))
        currency = ""
    if not isinstance(look.get("never_send", False), bool):
        reader.wrong(f"{place}.never_send", _("This is true or false."))
    options = schema.get("oneOf") or (schema["items"].get("oneOf") if kind is Kind.CHOICES else None) or []
    options = [*options, *({"const": value, "title": value} for value in schema.get("enum", []))]
    return Field(
        name=name,
        kind=kind,
        label=schema.get("title") or name.replace("_", " ").capitalize(),
        hint=schema.get("description", ""),
        schema=schema,
        required=required,
        options=tuple((option["const"], option["title"]) for option in options),
        columns=_columns(reader, schema, currency) if kind is Kind.ROWS else (),
        show_if=_condition(reader, look, "show_if", place),
        required_if=_condition(reader, look, "required_if", place),
        computed=_condition(reader, look, "computed", place),
        currency=currency,
        widget=str(widget),
        demands=_demands(reader, look.get("demands", []), f"{place}.demands"),
        is_withheld=look.get("never_send") is True,
    )


def _columns(reader: Reader, schema: dict[str, Any], currency: str) -> tuple[Field, ...]:
    items = schema["items"]
    required = set(items.get("required", []))
    looks = {"currency": currency} if currency else {}
    return tuple(
        _field(reader, name, column, name in required, looks, "ui") for name, column in items["properties"].items()
    )


def _condition(reader: Reader, look: dict[str, Any], key: str, place: str) -> Condition | None:
    if key not in look:
        return None
    try:
        return compile_condition(look[key], where=f"{place}.{key}")
    except Invalid as fault:
        reader.errors |= fault.errors
        return None


def _demands(reader: Reader, rows: Any, place: str) -> tuple[Demand, ...]:
    if not isinstance(rows, list):
        reader.wrong(place, _("This must be a list."))
        return ()
    made = []
    for index, row in enumerate(rows):
        at = f"{place}.{index}"
        found = reader.mapping(row, at, {"when", "at_least", "message"}, {"when", "at_least", "message"})
        when = _condition(reader, found, "when", at)
        number = found.get("at_least")
        if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= MOST_ROWS:
            reader.wrong(f"{at}.at_least", _("This must be a whole number from 1 up."))
        elif when is not None:
            made.append(Demand(when, number, reader.text(found.get("message"), f"{at}.message", 300)))
    return tuple(made)


def _sections(reader: Reader, rows: Any, made: dict[str, Field]) -> tuple[Section, ...]:
    if rows is None:
        return (Section("", "", tuple(made.values())),)
    if not isinstance(rows, list) or not rows:
        reader.wrong("ui.sections", _("This must be a list of sections."))
        return ()
    seen: list[str] = []
    sections = []
    for index, row in enumerate(rows):
        place = f"ui.sections.{index}"
        found = reader.mapping(row, place, {"title", "description", "fields"}, {"title", "fields"})
        names = found.get("fields", [])
        fields = []
        for position, name in enumerate(names if isinstance(names, list) else []):
            if not isinstance(name, str) or name not in made or name in seen:
                reader.wrong(f"{place}.fields.{position}", _("Name each field of the schema once."))
            else:
                seen.append(name)
                fields.append(made[name])
        title = reader.text(found["title"], f"{place}.title") if "title" in found else ""
        about = reader.text(found["description"], f"{place}.description", 1000) if found.get("description") else ""
        sections.append(Section(title, about, tuple(fields)))
    if missing := sorted(set(made) - set(seen)):
        reader.wrong("ui.sections", _("No section shows: %(names)s.") % {"names": ", ".join(missing)})
    return tuple(sections)


def _reference(reader: Reader, looks: dict[str, Any]) -> str:
    text = looks.get("reference", "REQ")
    if not isinstance(text, str) or not text.isascii() or not text.isalnum() or not 1 <= len(text) <= 8:
        reader.wrong("ui.reference", _("A reference starts with 1 to 8 letters or digits."))
        return "REQ"
    return text.upper()


def _contact(reader: Reader, looks: dict[str, Any], made: dict[str, Field]) -> str:
    name = looks.get("contact", "")
    if name and (name not in made or made[name].kind not in {Kind.TEXT, Kind.EMAIL}):
        reader.wrong("ui.contact", _("The contact is the name of a text or e-mail field."))
    return str(name)


def _summary(reader: Reader, looks: dict[str, Any], made: dict[str, Field]) -> str:
    name = looks.get("summary", "")
    if name and (name not in made or made[name].kind not in {Kind.TEXT, Kind.LONG_TEXT}):
        reader.wrong("ui.summary", _("The summary is the name of a text field."))
    return str(name) or next((item.name for item in made.values() if item.kind is Kind.TEXT), "")
