"""What people type about stand-ins."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Member

from .models import who_decide
from .rules.standing_in import days_between

LONGEST_NOTE = 300


class StandInInput(forms.Form):
    """Who decides in one's place, from which day until which, both included."""

    stand_in = forms.ModelChoiceField(
        label=_("Who decides for you"), queryset=Member._base_manager.none(), empty_label=_("Choose …")
    )
    starts_at = forms.DateField(label=_("First day"))
    ends_at = forms.DateField(label=_("Last day"), help_text=_("This day is included."))
    note = forms.CharField(label=_("Note for them"), max_length=LONGEST_NOTE, required=False)

    def __init__(self, *args: Any, but: Member | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people = who_decide().select_related("user", "tenant").order_by("user__name", "pk")
        self._people(self.fields["stand_in"], people.exclude(pk=but.pk) if but else people)

    def _people(self, field: Any, people: Any) -> None:
        field.queryset = people
        field.label_from_instance = lambda one: one.name

    def values(self, zone: ZoneInfo) -> dict[str, Any]:
        """What the action takes, with the days as moments in this zone."""
        found = dict(self.cleaned_data)
        starts, ends = days_between(found["starts_at"], found["ends_at"], zone)
        return found | {"starts_at": starts, "ends_at": ends}

    @staticmethod
    def start(now: datetime, zone: ZoneInfo) -> dict[str, str]:
        """What stands in the form before anything is typed."""
        return {"starts_at": now.astimezone(zone).date().isoformat()}


class StaffInput(forms.Form):
    """Who is asked on a step that stands still."""

    people = forms.ModelMultipleChoiceField(label=_("Who is asked"), queryset=Member._base_manager.none())

    def __init__(self, *args: Any, people: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["people"].queryset = people  # type: ignore[attr-defined]


class StandInForInput(StandInInput):
    """The same for a member, by an owner; here it needs a reason."""

    person = forms.ModelChoiceField(
        label=_("For whom"), queryset=Member._base_manager.none(), empty_label=_("Choose …")
    )
    field_order = ["person", "stand_in", "starts_at", "ends_at", "note"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._people(self.fields["person"], who_decide().select_related("user", "tenant").order_by("user__name", "pk"))
        self.fields["stand_in"].label = _("Who decides for them")
        note = self.fields["note"]
        note.label, note.required, note.help_text = _("Reason"), True, _("Both of them read it.")
