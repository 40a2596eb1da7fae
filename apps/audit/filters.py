"""The filters of the log, the same for the page's address and the API's query."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from django import forms
from django.utils.translation import gettext_lazy as _

from . import catalogue
from .models import Entry, EntryQuerySet


class EntryFilter(forms.Form):
    """Which entries to show; times are days in the tenant's zone, `until` included."""

    since = forms.DateField(label=_("From"), required=False, widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(label=_("To"), required=False, widget=forms.DateInput(attrs={"type": "date"}))
    action = forms.ChoiceField(label=_("What"), required=False)
    actor = forms.UUIDField(label=_("Who"), required=False, widget=forms.HiddenInput)
    target = forms.UUIDField(label=_("About"), required=False, widget=forms.HiddenInput)
    type = forms.ChoiceField(label=_("Kind of thing"), required=False)
    text = forms.CharField(label=_("Reference"), required=False, max_length=100)

    def __init__(self, *args: object, zone: ZoneInfo, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.zone = zone
        acts = [(name, str(title)) for name, title in catalogue.known().items()]
        self.fields["action"].choices = [("", _("Any act")), *sorted(acts, key=lambda act: act[1])]  # type: ignore[attr-defined]
        kinds = sorted(set(Entry.objects.order_by().values_list("target_type", flat=True).distinct()) - {""})
        self.fields["type"].choices = [("", _("Anything")), *((kind, kind.replace("_", " ")) for kind in kinds)]  # type: ignore[attr-defined]

    def apply(self, rows: EntryQuerySet) -> EntryQuerySet:
        """The rows that the given filters name."""
        if not self.is_valid():
            return rows.none()
        asked = {key: value for key, value in self.cleaned_data.items() if value}
        if since := asked.pop("since", None):
            rows = rows.since(datetime.combine(since, time.min, self.zone))
        if until := asked.pop("until", None):
            rows = rows.before(datetime.combine(until + timedelta(days=1), time.min, self.zone))
        names = {"action": "action", "actor": "actor_id", "target": "target_id", "type": "target_type"}
        if text := asked.pop("text", None):
            rows = rows.filter(target_label__icontains=text)
        return rows.filter(**{names[key]: value for key, value in asked.items()})
