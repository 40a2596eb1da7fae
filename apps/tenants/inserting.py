"""New rows of several tables by one statement: each statement costs a trip and Django's building of it anew."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby

from django.db import connections, router

from .models import TenantModel


def insert_together(*rows: TenantModel) -> None:
    """Insert rows that are new, those of one model side by side, all or none of them.

    References between them must be of the kind that is checked at commit, as Django makes them. No signals are sent.
    Raises DatabaseError as an insert does.
    """
    runs = tuple((model, len(list(run))) for model, run in groupby(type(row) for row in rows))
    alias = router.db_for_write(type(rows[0]))
    connection = connections[alias]
    values = [
        field.get_db_prep_save(getattr(row, field.attname), connection)
        for row in rows
        for field in row._meta.concrete_fields
    ]
    with connection.cursor() as cursor:
        cursor.execute(_text(runs), values)
    for row in rows:
        row._state.adding, row._state.db = False, alias


@lru_cache(maxsize=32)
def _text(runs: Sequence[tuple[type[TenantModel], int]]) -> str:
    """The inserts before the last as parts of it; PostgreSQL carries them out whether or not it reads them."""
    *before, last = [_insert(model, count) for model, count in runs]
    parts = ", ".join(f"part{number} AS ({text})" for number, text in enumerate(before))
    return f"WITH {parts} {last}" if parts else last


def _insert(model: type[TenantModel], count: int) -> str:
    """The plain insert of so many rows."""
    columns = [f'"{field.column}"' for field in model._meta.concrete_fields]
    places = f"({', '.join(['%s'] * len(columns))})"
    return f'INSERT INTO "{model._meta.db_table}" ({", ".join(columns)}) VALUES {", ".join([places] * count)}'
