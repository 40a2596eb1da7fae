"""The Django admin as Super Admins get it: they look across tenants. To write in one they enter it, see accounts/support.py."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models.constants import LOOKUP_SEP
from django.http import HttpRequest

# How Django's own filters and its hierarchy of dates ask for a column; nothing leads on from a row to another one.
ASKED_AS = frozenset({"", "exact", "id__exact", "isnull", "gte", "lt", "year", "month", "day"})


class LookOnly(admin.ModelAdmin):  # type: ignore[type-arg]  # not subscriptable at run time
    """No add, no change, no delete; and no delete action, which would need them."""

    actions = None
    list_per_page = 50

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """Only what the page's own filters send; Django would compare any column, and a hidden one can be guessed so."""
        name, _sep, asked_as = lookup.partition(LOOKUP_SEP)
        return asked_as in ASKED_AS and name in {*map(_name_of, self.list_filter), self.date_hierarchy}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


def _name_of(entry: Any) -> str:
    """The parameter of one entry of `list_filter`: a column, or a filter of our own."""
    return entry if isinstance(entry, str) else entry.parameter_name
