"""The Django admin compares only what its pages' own filters show: a column that is hidden cannot be guessed by a filter."""

from __future__ import annotations

import re
from html import unescape

import pytest
from django.contrib import admin
from django.http import QueryDict
from django.test import Client
from django.urls import reverse

from tests.cast import Company, super_admin
from tests.clients import browser

TABLES = sorted(admin.site._registry.items(), key=lambda pair: pair[0]._meta.label_lower)


@pytest.fixture
def door(acme: Company) -> Client:
    """A Super Admin in a browser."""
    return browser(super_admin(f"root@{acme.slug}.example"))


def page_of(model):
    return reverse(f"admin:{model._meta.label_lower.replace('.', '_')}_changelist")


def shown(one):
    """What the page itself filters by."""
    return {entry for entry in one.list_filter if isinstance(entry, str)} | {one.date_hierarchy}


@pytest.mark.parametrize(("model", "one"), TABLES, ids=lambda value: getattr(value, "__name__", ""))
def test_no_column_is_compared_that_the_page_does_not_filter_by(door, model, one):
    compared = []
    for field in model._meta.get_fields():
        for ends in ("", "__startswith", "__contains", "__regex", "__gte", "__isnull", "__id__exact"):
            lookup = field.name + ends
            plain = ends in {"", "__gte", "__isnull", "__id__exact"} and field.name in shown(one)
            if not plain and door.get(page_of(model), {lookup: "1"}).status_code != 400:
                compared.append(lookup)
    assert compared == []


@pytest.mark.parametrize(
    "path",
    [
        "accounts/user/?password__startswith=scrypt",
        "comms/outboxmessage/?body__contains=/key/",
        "comms/outboxmessage/?to__startswith=a",
        "accounts/member/?user__password__startswith=scrypt",
        "accounts/member/?tenant__members__user__password__startswith=scrypt",
        "accounts/tenant/?is_active__x=1",
    ],
)
def test_no_filter_leads_to_a_secret(door, path):
    assert door.get(f"/admin/{path}").status_code in {400, 404}


@pytest.mark.every_tenant
def test_every_filter_that_a_page_offers_is_answered(door):
    """Three choices of each: a filter by tenant offers as many as there are tenants."""
    links = 0
    for model, _one in TABLES:
        page = page_of(model)
        offered: dict[tuple[str, ...], set[str]] = {}
        for found in re.findall(r'href="(\?[^"]+)"', door.get(page).content.decode()):
            offered.setdefault(tuple(sorted(QueryDict(unescape(found)[1:]))), set()).add(unescape(found))
        for query in [query for choices in offered.values() for query in sorted(choices)[:3]]:
            assert door.get(page + query).status_code in {200, 302}, page + query
            links += 1
    assert links > 30
