"""Pages of a long list: every row once, in order, there and back."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import parse_qs

import pytest
from django.db import transaction
from django.http import QueryDict
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.accounts.models import Team
from apps.tenants import clock
from apps.tenants.windows import window
from tests.cast import acting_as


@pytest.fixture
def rows(acme):
    """Seven rows of which three share one moment."""
    start = clock.now()
    with acting_as(acme.owner), transaction.atomic():
        made = [
            Team.objects.create(name=f"T{n}", slug=f"t{n}", created_at=start + timedelta(seconds=min(n, 4)))
            for n in range(7)
        ]
        yield sorted(made, key=lambda team: (team.created_at, team.pk), reverse=True)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20, deadline=None)
@given(size=st.integers(1, 8))
def test_each_row_is_shown_once_and_the_way_back_is_the_same(rows, size):
    there, query = [], ""
    pages = []
    while True:
        shown = window(Team.objects.all(), QueryDict(query), by="created_at", size=size)
        there += shown.rows
        pages.append(shown.rows)
        if not shown.older:
            break
        query = shown.older
    assert there == rows
    while shown.newer:
        shown = window(Team.objects.all(), QueryDict(shown.newer), by="created_at", size=size)
        pages.pop()
        assert shown.rows == pages[-1]
    assert len(pages) == 1


@pytest.mark.parametrize(
    "position", ["", "x", "_", "2026-01-01_x", "2026-01-01T00:00:00_0190c0de-0000-7000-8000-000000000001"]
)
def test_a_position_that_cannot_be_read_is_none(rows, position):
    shown = window(Team.objects.all(), QueryDict(f"before={position}"), by="created_at", size=3)
    assert shown.rows == rows[:3]


def test_filters_stay_in_the_address(rows):
    shown = window(Team.objects.all(), QueryDict("q=a+b&before="), by="created_at", size=3)
    assert parse_qs(shown.older)["q"] == ["a b"]
