"""Saved views of the log: a name for some filters, of one person in one tenant. Nobody else changes them.

A visitor from support sees those of the owner for whom they act, as any page of the owner's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from uuid import UUID

from django import forms
from django.db import IntegrityError, transaction
from django.http import Http404
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.tenants.context import refuse_support
from apps.tenants.refusals import Refused, Text
from apps.tenants.slots import slots

from . import catalogue
from .filters import EntryFilter
from .models import SavedView

MOST = 30


class NameInput(forms.Form):
    """What a view is called."""

    name = forms.CharField(label=gettext_lazy("Name of the view"), max_length=80)


def mine(person: UUID) -> list[SavedView]:
    """One person's views by name."""
    return list(SavedView.objects.filter(person=person).order_by("name"))


def worded(asked: Mapping[str, str]) -> list[tuple[Text, Text]]:
    """Filters as a person reads them: what each is called, and what it asks for."""
    known = catalogue.known()
    people = {str(key): name for key, name in slots.actors()} if "actor" in asked else {}
    words: dict[str, Callable[[str], Text]] = {
        "action": lambda value: known.get(value, value),
        "actor": lambda value: people.get(value, value),
        "actor_type": lambda value: catalogue.ACTORS.get(value, value),
        "through": lambda value: catalogue.WAYS.get(value, value),
        "outcome": lambda value: catalogue.OUTCOMES.get(value, value),
        "type": lambda value: value.replace("_", " "),
    }
    fields = EntryFilter.base_fields
    return [(fields[name].label or name, words.get(name, str)(asked[name])) for name in asked if name in fields]


def one_of_mine(person: UUID, pk: UUID) -> SavedView:
    """One of the person's own views. Raises Http404."""
    found = SavedView.objects.filter(person=person, pk=pk).first()
    if found is None:
        raise Http404
    return found


def save_view(name: str, asked: EntryFilter, *, by: UUID) -> SavedView:
    """Keep filters under a name. Raises Refused where they name nothing, the name is taken, or there are too many.

    Raises Forbidden during a support visit, as renaming and deleting do.
    """
    refuse_support()
    if not asked.asked:
        raise Refused(_("Choose a filter first: a view of everything is the log itself."))
    if SavedView.objects.filter(person=by).count() >= MOST:
        raise Refused(_("You have %(n)s views already; delete one first.") % {"n": MOST})
    return _named(SavedView(person=by, query=urlencode(asked.asked)), name)


def rename_view(view: SavedView, name: str) -> SavedView:
    """Give a view another name. Raises Refused where it is taken, Forbidden during a support visit."""
    refuse_support()
    return _named(view, name)


def delete_view(view: SavedView) -> None:
    """Forget a view. Raises Forbidden during a support visit."""
    refuse_support()
    view.delete()


def _named(view: SavedView, name: str) -> SavedView:
    view.name = name
    try:
        with transaction.atomic():
            view.save()
    except IntegrityError:
        raise Refused(_("You have a view of this name already.")) from None
    return view
