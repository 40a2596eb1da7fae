"""Between a page's fields and answers: what was typed becomes values, and what cannot be read stays as it was typed."""

from __future__ import annotations

import dataclasses
import json
import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from django import forms
from django.forms.fields import InvalidJSONInput
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from apps.accounts.rules import Role
from apps.approvals.models import Verdict

from .models import GrantRole
from .rules.answers import Answers
from .rules.filling import Filling
from .rules.spec import Field, Kind, Section, Spec
from .show import computed

LONGEST_ROWS = 200
MONEY = re.compile(r"[+-]?\d{1,3}(?:[,  ]?\d{3})*(?:\.\d{1,2})?\Z")


def read_post(spec: Spec, post: QueryDict) -> dict[str, Any]:
    """Answers as they were typed; files and computed numbers are not read from a page."""
    found = {
        item.name: _value(item, post, item.name)
        for item in spec.fields
        if item.computed is None and item.kind is not Kind.FILE
    }
    return {name: value for name, value in found.items() if value is not None}


def _value(item: Field, post: QueryDict, name: str) -> Any:
    if item.kind is Kind.ROWS:
        return _rows(item, post)
    if item.kind is Kind.CHOICES:
        return post.getlist(name) or None
    text = post.get(name)
    if text is None or not text.strip():
        return None
    if item.kind is Kind.YES_NO:
        return {"yes": True, "no": False}.get(text, text)
    if item.kind is Kind.INTEGER:
        return _integer(text)
    if item.kind is Kind.MONEY:
        return _cents(text)
    return text.replace("\r\n", "\n")


def _integer(text: str) -> Any:
    try:
        return int(text.strip()) if len(text) < 20 else text
    except ValueError:
        return text


def _cents(text: str) -> Any:
    """`1,250.00` -> 125000; what is no amount stays a text, which the form's rules then refuse at its place."""
    bare = text.strip()
    if not MONEY.match(bare) or len(bare) > 24:
        return text
    try:
        return int(Decimal(re.sub(r"[,  ]", "", bare)) * 100)
    except InvalidOperation:
        return text


def _rows(item: Field, post: QueryDict) -> list[dict[str, Any]] | None:
    """Rows by their index; rows in which nothing was typed do not count."""
    pattern = re.compile(rf"{re.escape(item.name)}-(\d{{1,3}})-")
    indexes = sorted({int(found[1]) for key in post if (found := pattern.match(key))})[:LONGEST_ROWS]
    rows = []
    for index in indexes:
        values = {column.name: _value(column, post, f"{item.name}-{index}-{column.name}") for column in item.columns}
        row = {name: value for name, value in values.items() if value is not None}
        if row:
            rows.append(row)
    return rows or None


@dataclass
class Control:
    """One field as a template draws it."""

    field: Field
    name: str
    id: str
    value: Any
    errors: list[str]
    required: bool
    shown: bool = True
    rows: list[list[Control]] = dataclasses.field(default_factory=list)
    files: list[Any] = dataclasses.field(default_factory=list)
    people: list[Any] = dataclasses.field(default_factory=list)

    @property
    def template(self) -> str:
        return f"forms/fields/{self.field.kind.value}.html"

    @property
    def text(self) -> str:
        """The value as an input shows it."""
        if self.value is None:
            return ""
        if self.field.kind is Kind.MONEY and isinstance(self.value, int):
            return f"{Decimal(self.value) / 100:.2f}"
        return str(self.value)

    @property
    def computed(self) -> str:
        return computed(self.field, self.value)

    @property
    def described_by(self) -> str:
        """Ids of the hint and the errors, for screen readers."""
        parts = [f"{self.id}-hint"] if self.field.hint else []
        return " ".join([*parts, f"{self.id}-error"] if self.errors else parts)


@dataclass
class DrawnSection:
    section: Section
    controls: list[Control]


def draw(
    spec: Spec, data: dict[str, Any], answers: Answers, *, files: Any = (), people: Any = (), blank_rows: str = ""
) -> list[DrawnSection]:
    """Every field with its value, its errors and whether it shows. `blank_rows` names the rows to add one to."""
    made = []
    for section in spec.sections:
        controls = [_control(item, data, answers, files, people, blank_rows) for item in section.fields]
        made.append(DrawnSection(section, controls))
    return made


def _control(item: Field, data: dict[str, Any], answers: Answers, files: Any, people: Any, blank_rows: str) -> Control:
    value = answers.data.get(item.name) if item.computed is not None else data.get(item.name)
    control = Control(
        field=item,
        name=item.name,
        id=f"f-{item.name}",
        value=value,
        errors=answers.errors.get(item.name, []),
        required=item.name in answers.required or item.required,
        shown=item.name in answers.shown,
        files=[file for file in files if file.field == item.name and str(file.pk) in (value or [])],
        people=list(people),
    )
    if item.kind is Kind.ROWS:
        rows = list(value) if isinstance(value, list) else []
        if not rows or item.name == blank_rows:
            rows.append({})
        control.rows = [_row(item, row, index, answers, people) for index, row in enumerate(rows)]
    return control


def _row(item: Field, row: dict[str, Any], index: int, answers: Answers, people: Any) -> list[Control]:
    return [
        Control(
            field=column,
            name=f"{item.name}-{index}-{column.name}",
            id=f"f-{item.name}-{index}-{column.name}",
            value=row.get(column.name),
            errors=answers.errors.get(f"{item.name}.{index}.{column.name}", []),
            required=column.required,
            people=list(people),
        )
        for column in item.columns
    ]


def field_id(place: str) -> str:
    """The element of a place: `lines.2.price` -> `f-lines-2-price`."""
    return "f-" + place.replace(".", "-")


class GrantInput(forms.Form):
    """To whom a role on a form is given: `TYPE:id` of a person, a team or a tenant role."""

    principal = forms.ChoiceField(label=_("Who"))
    role = forms.ChoiceField(label=_("May"), choices=GrantRole.choices)

    def __init__(self, *args: Any, people: Any, teams: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        roles = [(f"ROLE:{value}", _("everybody who is %(role)s") % {"role": label}) for value, label in Role.choices]
        self.fields["principal"].choices = [  # type: ignore[attr-defined]
            *[(f"TEAM:{team.pk}", _("team %(name)s") % {"name": team.name}) for team in teams],
            *[(f"USER:{person.pk}", person.name) for person in people],
            *roles,
        ]

    @property
    def principal_parts(self) -> dict[str, str]:
        """What was chosen, as the action takes it."""
        kind, _colon, identity = str(self.cleaned_data["principal"]).partition(":")
        return {"principal_type": kind, "principal_id": identity}


class FillingInput(forms.Form):
    """To whom a form is open."""

    filling = forms.ChoiceField(label=_("Who may fill it"), choices=Filling.choices, widget=forms.RadioSelect)


class DecisionInput(forms.Form):
    """What a reviewer sends; `revision` is the one they were shown."""

    verdict = forms.ChoiceField(
        label=_("Verdict"), choices=Verdict.choices, error_messages={"required": _("Choose what you decide.")}
    )
    reason = forms.CharField(label=_("Reason"), required=False, max_length=4000)
    revision = forms.UUIDField(widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        asked: dict[str, Any] = super().clean() or {}
        if asked.get("verdict") in {Verdict.REJECT, Verdict.SEND_BACK} and not asked.get("reason", "").strip():
            self.add_error("reason", _("Say why; the person who sent it reads this."))
        return asked


class PrettyJSON(forms.JSONField):
    """JSON as a text that a person can read; what does not parse stays as it was typed."""

    def prepare_value(self, value: Any) -> Any:
        if value is None or isinstance(value, InvalidJSONInput):
            return value
        return json.dumps(value, indent=2, ensure_ascii=False)


class FormInput(forms.Form):
    """A form's draft as text: title, and JSON for schema, ui and path."""

    title = forms.CharField(label=_("Title"), max_length=200)
    slug = forms.SlugField(label=_("Address"), max_length=63, help_text=_("Lower-case letters, digits and hyphens."))
    description = forms.CharField(label=_("What it is for"), required=False, max_length=2000)
    schema = PrettyJSON(label=_("Questions (JSON Schema)"))
    ui = PrettyJSON(label=_("Order, sections and conditions (ui)"), required=False)
    path = PrettyJSON(label=_("Approval path"), required=False)
