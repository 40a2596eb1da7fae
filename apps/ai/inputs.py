"""What an owner sends on the page of AI, and what a reviewer says of a summary."""

from __future__ import annotations

from decimal import Decimal

from django import forms
from django.utils.translation import gettext_lazy as _

from .models import Verdict

MOST_DOLLARS = 1_000_000


class SwitchInput(forms.Form):
    """Whether answers may go to the model."""

    is_on = forms.TypedChoiceField(choices=[("on", _("on")), ("off", _("off"))], coerce=lambda word: word == "on")


class CapInput(forms.Form):
    """The owner's own cap in dollars; empty is none, 0 is 0."""

    cap = forms.DecimalField(
        label=_("Your own limit a month, in dollars"),
        required=False,
        min_value=Decimal(0),
        max_value=Decimal(MOST_DOLLARS),
        decimal_places=6,
        help_text=_("Empty: only the limit that this installation sets. 0: nothing is spent."),
    )


class AnswerInput(forms.Form):
    """What a person did with a summary."""

    said = forms.ChoiceField(choices=Verdict.choices)
