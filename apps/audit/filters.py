"""The filters of the log: one rule set for the page's address, the API's query, saved views and exports."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.core.validators import RegexValidator
from django.db.models import Exists, OuterRef, prefetch_related_objects
from django.utils.translation import gettext_lazy as _

from apps.tenants.slots import slots
from apps.tenants.windows import Window, window

from . import catalogue
from .models import Entry, EntryQuerySet, Word
from .words import asked_words

NAMES = ("since", "until", "action", "actor", "actor_type", "through", "target", "type", "outcome", "request", "text")
COUNTED = 500
COLUMNS = {
    "action": "action", "actor": "actor_id", "actor_type": "actor_type", "target": "target_id", "type": "target_type", "outcome": "outcome",
    "request": "request_id",
}  # fmt: skip
A_NUMBER = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z", re.IGNORECASE)


class EntryFilter(forms.Form):
    """Which entries to show; times are days in the tenant's zone, `until` included."""

    since = forms.DateField(label=_("From"), required=False)
    until = forms.DateField(label=_("To"), required=False)
    actor = forms.UUIDField(label=_("Who"), required=False)
    actor_type = forms.ChoiceField(label=_("Kind of actor"), required=False)
    through = forms.ChoiceField(label=_("Through"), required=False)
    action = forms.ChoiceField(label=_("What"), required=False)
    type = forms.CharField(label=_("Kind of thing"), required=False, max_length=32)
    target = forms.UUIDField(label=_("About"), required=False)
    outcome = forms.ChoiceField(label=_("Outcome"), required=False)
    request = forms.CharField(
        label=_("Request"), required=False, validators=[RegexValidator(r"\A[A-Za-z0-9._-]{1,64}\Z")]
    )
    text = forms.CharField(label=_("Words"), required=False, max_length=100)

    def __init__(self, *args: object, zone: ZoneInfo, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.zone = zone
        acts = [(name, str(title)) for name, title in catalogue.known().items()]
        self._choose("action", [("", _("Any act")), *sorted(acts, key=lambda act: act[1])])
        self._choose("actor_type", [("", _("Any kind")), *catalogue.ACTORS.items()])
        self._choose("through", [("", _("Any way")), *catalogue.WAYS.items()])
        self._choose("outcome", [("", _("Any outcome")), *catalogue.OUTCOMES.items()])

    def _choose(self, name: str, choices: list[tuple[str, Any]]) -> None:
        self.fields[name].choices = choices  # type: ignore[attr-defined]

    @property
    def people(self) -> list[tuple[str, str]]:
        """Members to choose from; whoever is asked for stands there in any case."""
        asked = self["actor"].value()
        found = [(str(key), name) for key, name in slots.actors()]
        known = {key for key, _name in found}
        return found if not asked or str(asked) in known else [(str(asked), str(_("somebody else"))), *found]

    @property
    def kinds(self) -> list[tuple[str, str]]:
        """What an entry may be about, for a choice."""
        return [(kind, kind.replace("_", " ")) for kind in catalogue.kinds()]

    @property
    def asked(self) -> dict[str, str]:
        """What is asked for, by name; empty where it cannot be read."""
        if not self.is_valid():
            return {}
        return {name: str(self.cleaned_data[name]) for name in NAMES if self.cleaned_data.get(name)}

    def apply(self, rows: EntryQuerySet) -> EntryQuerySet:
        """The rows that the given filters name."""
        if not self.is_valid():
            return rows.none()
        return rows.kept().filter(*(_has(word) for word in self._words), **self._columns())

    def page(self, query: Mapping[str, str], size: int) -> Window[Entry]:
        """One page of what the filters name, newest first, after the position in the query.

        A search, and one for the way by which an act came about, reads the index of words, which is in the order of the
        page; anything else that of its own column.
        """
        if not self.is_valid():
            return Window([])
        if not self._words:
            return page_of(self.apply(Entry.objects.all()), query, size)
        rarest, *others = sorted(self._words, key=_how_often) if len(self._words) > 1 else self._words
        columns = {name if name.startswith("time") else f"entry__{name}": on for name, on in self._columns().items()}
        hits = Word.objects.filter(*(_has(word, "entry_id") for word in others), word=rarest, **columns)
        seen = window(hits.select_related("entry"), query, by="time", size=size, identity="entry_id")
        return _with_seals(Window([hit.entry for hit in seen.rows], seen.newer, seen.older))

    @property
    def _words(self) -> list[str]:
        text, way = self.cleaned_data["text"].strip(), self.cleaned_data["through"]
        return [*([] if A_NUMBER.match(text) else asked_words(text)), *([f"#{way}"] if way else [])]

    def _columns(self) -> dict[str, Any]:
        """What the columns of an entry must be; a number in the form of an id is that of a request."""
        asked = {key: value for key, value in self.cleaned_data.items() if value}
        found = {COLUMNS[key]: value for key, value in asked.items() if key in COLUMNS}
        if since := asked.get("since"):
            found["time__gte"] = datetime.combine(since, time.min, self.zone)
        if until := asked.get("until"):
            found["time__lt"] = datetime.combine(until + timedelta(days=1), time.min, self.zone)
        if A_NUMBER.match(text := asked.get("text", "").strip()):
            found["request_id"] = text
        return found

    def clean_text(self) -> str:
        """Words, or nothing: signs alone would find everything."""
        text: str = self.cleaned_data["text"]
        if text and not asked_words(text):
            raise forms.ValidationError(_("Type whole words of a name or a reference."))
        return text


def page_of(rows: EntryQuerySet, query: Mapping[str, str], size: int) -> Window[Entry]:
    """One page of entries, newest first, after the position in the query, with their seals."""
    return _with_seals(window(rows, query, by="time", size=size))


def _with_seals(found: Window[Entry]) -> Window[Entry]:
    prefetch_related_objects(found.rows, "seals")
    return found


def _has(word: str, entry: str = "pk") -> Exists:
    return Exists(Word.objects.filter(entry_id=OuterRef(entry), time=OuterRef("time"), word=word))


def _how_often(word: str) -> int:
    return len(Word.objects.filter(word=word).values_list("pk", flat=True)[:COUNTED])
