"""The Django admin as Super Admins get it: they look across tenants. To write in one they enter it, see accounts/support.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.db.models.constants import LOOKUP_SEP
from django.http import HttpRequest
from django.utils.translation import gettext_lazy

from .models import Tenant

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


class OfTenant(admin.SimpleListFilter):
    """One tenant by its address, which is typed: an installation has thousands, and a list of links would name them all."""

    title = gettext_lazy("tenant")
    parameter_name = "of_tenant"
    template = "admin/of_tenant.html"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The form alone; a filter without a choice is not shown."""
        return [("", "")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(tenant=tenant_asked_for(request)) if self.value() else queryset

    def choices(self, changelist: Any) -> Iterator[Any]:
        """What the form shows, and sends along of the other filters."""
        kept = [(name, value) for name, values in self.request.GET.lists() for value in values]
        typed = self.value() or ""
        yield {
            "typed": typed,
            "unknown": bool(typed) and tenant_asked_for(self.request) is None,
            "kept": [(name, value) for name, value in kept if name not in {self.parameter_name, "p"}],
            "without": changelist.get_query_string(remove=[self.parameter_name]),
        }


def tenant_asked_for(request: HttpRequest) -> Tenant | None:
    """The tenant whose address was typed into the filter; None where there is none of that address."""
    typed = request.GET.get(OfTenant.parameter_name, "").replace("\0", "")
    return Tenant.objects.filter(slug=typed.strip().lower()).first()


def _name_of(entry: Any) -> str:
    """The parameter of one entry of `list_filter`: a column, or a filter of our own."""
    return entry if isinstance(entry, str) else entry.parameter_name
