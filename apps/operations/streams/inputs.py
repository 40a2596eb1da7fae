"""What people type on the pages of streams."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _


class StreamInput(forms.Form):
    """Where to send the log, and from where on."""

    url = forms.CharField(label=_("Address"), max_length=500, help_text=_("It starts with https:// and is public."))
    description = forms.CharField(label=_("Note"), max_length=200, required=False)
    start = forms.ChoiceField(
        label=_("Begin with"),
        choices=[("first", _("the first entry of the log")), ("now", _("the next entry from now on"))],
    )

    def asked(self) -> dict[str, Any]:
        """As the action takes it."""
        url, note, start = (self.cleaned_data[name] for name in ("url", "description", "start"))
        return {"url": url, "description": note, "whole": start == "first"}


class ReplayInput(forms.Form):
    """From which place of the log on everything is sent again."""

    since = forms.IntegerField(label=_("From entry #"), min_value=0, max_value=2**53)
