"""Answers as a person reads them: on the submission's page, the reviewer's, and before sending."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from apps.tenants.slots import slots

from .models import Attachment
from .rules.answers import read_answers
from .rules.spec import Field, Kind, Spec

CURRENCIES = {"USD": "$", "EUR": "€", "GBP": "£"}


@dataclass
class Shown:
    """One answered field; `table` for repeated rows as (text, CSS class), `files` for attachments."""

    field: Field
    text: str = ""
    header: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    table: list[list[tuple[str, str]]] = dataclasses.field(default_factory=list)
    files: list[Attachment] = dataclasses.field(default_factory=list)


@dataclass
class ShownSection:
    title: str
    items: list[Shown]


def shown(spec: Spec, data: dict[str, Any], files: list[Attachment]) -> list[ShownSection]:
    """Every field that shows for these answers, in order."""
    visible = read_answers(spec, data).shown
    names = _names(spec, data)
    sections = []
    for section in spec.sections:
        items = [_item(item, data.get(item.name), files, names) for item in section.fields if item.name in visible]
        if items:
            sections.append(ShownSection(section.title, items))
    return sections


def amount(cents: int, currency: str) -> str:
    """`$48,200.00` from cents; a currency without a sign of its own stands before it: `CHF 48,200.00`."""
    sign = CURRENCIES.get(currency, f"{currency}\N{NO-BREAK SPACE}" if currency else "")
    return f"{'-' if cents < 0 else ''}{sign}{Decimal(abs(cents)) / 100:,.2f}"


def computed(item: Field, value: Any) -> str:
    """A number that the server computed, as pages show it; a dash while it cannot be computed."""
    if not isinstance(value, int):
        return "–"
    return amount(value, item.currency) if item.kind is Kind.MONEY else str(value)


def _item(item: Field, value: Any, files: list[Attachment], names: dict[Any, str]) -> Shown:
    if item.kind is Kind.FILE:
        listed = set(value or [])
        return Shown(item, files=[file for file in files if str(file.pk) in listed])
    if item.kind is Kind.ROWS:
        rows = [[_cell(column, row.get(column.name), names) for column in item.columns] for row in value or []]
        return Shown(item, header=[(column.label, _look(column)) for column in item.columns], table=rows)
    return Shown(item, text=text(item, value, names))


def _look(column: Field) -> str:
    """How a column stands in a table: numbers to the right, dates and times unbroken."""
    if column.kind in {Kind.INTEGER, Kind.MONEY}:
        return "num"
    return "brief" if column.kind in {Kind.DATE, Kind.TIME} else ""


def _cell(column: Field, value: Any, names: dict[Any, str]) -> tuple[str, str]:
    return text(column, value, names, day="j M Y"), _look(column)


def text(item: Field, value: Any, names: dict[Any, str], day: str = "D j F Y") -> str:
    """One value in words; `day` is how Django's `date` filter writes a date."""
    if value is None or value == "" or value == []:
        return ""
    options = dict(item.options)
    if item.kind is Kind.MONEY and isinstance(value, int):
        return amount(value, item.currency)
    if item.kind is Kind.YES_NO:
        return _("yes") if value is True else _("no")
    if item.kind is Kind.CHOICE:
        return options.get(value, str(value))
    if item.kind is Kind.CHOICES:
        return ", ".join(options.get(one, str(one)) for one in value)
    if item.kind is Kind.PERSON:
        return names.get(str(value), str(value))
    if item.kind is Kind.DATE:
        try:
            return date_format(date.fromisoformat(value), day)
        except ValueError:
            return str(value)
    return str(value)


def _names(spec: Spec, data: dict[str, Any]) -> dict[Any, str]:
    """Names of the people that answers point at."""
    wanted: set[UUID] = set()
    for item in spec.fields:
        values = [data.get(item.name)] if item.kind is Kind.PERSON else []
        for column in item.columns:
            if column.kind is Kind.PERSON:
                values += [row.get(column.name) for row in data.get(item.name) or []]
        for value in values:
            try:
                wanted.add(UUID(str(value)))
            except ValueError:
                continue
    return {str(key): name for key, name in slots.actor_names(wanted).items()} if wanted else {}
