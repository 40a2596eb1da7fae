"""Times come from the database as the same instants in UTC, whatever zone the server keeps."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import connection

from tests.database import superuser

pytestmark = pytest.mark.database


def times(*written: str) -> list[datetime]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT t::timestamptz FROM unnest(%s::text[]) AS t", [list(written)])
        return [row[0] for row in cursor.fetchall()]


@pytest.fixture
def _tokyo(wall):
    with superuser() as admin:
        name = connection.settings_dict["NAME"]
        admin.execute(f"ALTER DATABASE \"{name}\" SET timezone = 'Asia/Tokyo'")
        connection.close()
        yield
        admin.execute(f'ALTER DATABASE "{name}" RESET timezone')
        connection.close()


@pytest.mark.usefixtures("_tokyo")
def test_a_time_is_in_utc_to_the_microsecond_on_a_server_in_tokyo():
    found = times("2026-01-02 03:04:05.000006+05", "2026-01-02 03:04:05Z", "1999-12-31 23:59:59.999999-11:30")
    assert found == [
        datetime(2026, 1, 1, 22, 4, 5, 6, UTC),
        datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        datetime(2000, 1, 1, 11, 29, 59, 999999, UTC),
    ]
    assert {one.tzinfo for one in found} == {UTC}
