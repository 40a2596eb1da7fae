"""A submission as a model may read it: what shows, in order, without what the form withholds."""

from __future__ import annotations

from dataclasses import dataclass

from apps.forms.models import Revision, Submission
from apps.forms.rules.spec import Field, Kind
from apps.forms.show import Shown, shown

from .prompts import Answered, Prompt, build
from .redaction import Redactor

WITHHELD = "(withheld by the form)"


@dataclass(frozen=True)
class Document:
    """The prompt, what puts its placeholders back, and how many answers were withheld."""

    prompt: Prompt
    redactor: Redactor
    withheld: int

    @property
    def redactions(self) -> dict[str, int]:
        return self.redactor.counts | ({"withheld": self.withheld} if self.withheld else {})


def document(submission: Submission, revision: Revision) -> Document:
    """The prompt of one revision. Files travel as their number only, people as placeholders."""
    redactor, rows, withheld = Redactor(), [], 0
    for section in shown(submission.form_version.spec, revision.data, []):
        for item in section.items:
            if item.field.is_withheld:
                withheld += 1
                rows.append(Answered(item.field.label, WITHHELD))
            else:
                rows.append(Answered(item.field.label, _answer(item, revision, redactor)))
    return Document(build(submission.form_version.title, rows), redactor, withheld)


def _answer(item: Shown, revision: Revision, redactor: Redactor) -> str:
    if item.field.kind is Kind.FILE:
        return f"{len(revision.data.get(item.field.name) or [])} files attached, not sent"
    if item.field.kind is Kind.ROWS:
        names = [label for label, _look in item.header]
        columns = item.field.columns
        lines = []
        for row in item.table:
            cells = zip(names, columns, row, strict=True)
            lines.append("; ".join(f"{name}: {_text(column, text, redactor)}" for name, column, (text, _look) in cells))
        return "\n".join(lines)
    return _text(item.field, item.text, redactor)


def _text(field: Field, text: str, redactor: Redactor) -> str:
    if field.kind is Kind.PERSON and text:
        return redactor.hide("person", text)
    return redactor.clean(text)
