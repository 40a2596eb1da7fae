"""What people type on the page of webhooks."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from .events import EVENTS


class EndpointInput(forms.Form):
    """Where to call, and about what."""

    url = forms.CharField(label=_("Address"), max_length=500, help_text=_("It starts with https:// and is public."))
    description = forms.CharField(label=_("Note"), max_length=200, required=False)
    events = forms.MultipleChoiceField(
        label=_("Events"), choices=list(EVENTS.items()), error_messages={"required": _("Choose at least one event.")}
    )
