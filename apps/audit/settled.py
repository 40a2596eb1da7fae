"""Is each row as the newest entry about it says? So that what was turned round or put back behind the log is found.

An older entry that once told of such a row is not enough: a grant that was taken back, and lies there again, was granted
once. Each room declares in `slots.settled` what its acts leave behind.
"""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db import connection

from apps.tenants.context import current_tenant
from apps.tenants.logged import Fact, Has, Settled
from apps.tenants.models import TenantModel

NAMED = 3
OTHERWISE = """
    WITH told AS MATERIALIZED (
      SELECT id, time, action, CASE WHEN octet_length(body) > 0 THEN convert_from(body, 'UTF8')::jsonb END AS said
      FROM audit_entry WHERE tenant_id = %(tenant)s AND action = ANY(%(acts)s)),
    newest AS (
      SELECT DISTINCT ON (key) key, word FROM (
        SELECT {key} AS key, {word} AS word, time, id FROM told, jsonb_array_elements(said -> 'targets') AS target
        WHERE target ->> 'type' = %(target)s) AS words
      WHERE word IS NOT NULL ORDER BY key, time DESC, id DESC)
    SELECT kept.id, count(*) OVER () FROM {table} AS kept JOIN newest ON newest.key = {row}
    WHERE kept.{tenant} = %(tenant)s AND {now} IS DISTINCT FROM newest.word ORDER BY kept.id LIMIT %(named)s"""


def otherwise(settled: Settled) -> tuple[int, tuple[str, ...]]:
    """How many rows of the tenant in force are not as the newest entry about them says, and the ids of the first few."""
    values: dict[str, Any] = {
        "tenant": current_tenant(),
        "acts": list(settled.says),
        "target": settled.target,
        "named": NAMED,
    }
    with connection.cursor() as cursor:
        cursor.execute(_statement(settled, values), values)
        rows = cursor.fetchall()
    return (rows[0][1], tuple(str(row[0]) for row in rows)) if rows else (0, ())


def _statement(settled: Settled, values: dict[str, Any]) -> str:
    """The text; what is no name of a column goes into `values`."""
    model: Any = apps.get_model(".".join(settled.key.split(".")[:2]))
    key, row = "target ->> 'id'", f"{_column(model, settled.id_column)}::text"
    if settled.pair:
        values |= {f"pair{at}": name for at, name in enumerate(settled.pair)}
        other = ", ".join(f"said -> 'facts' ->> %(pair{at})s" for at in range(len(settled.pair)))
        key, row = f"{key} || coalesce({other})", f"{row} || {_column(model, settled.pair_column)}::text"
    column = settled.seen.value.format(column=_column(model, settled.column)) if settled.column else "'true'"
    return OTHERWISE.format(
        key=key,
        word=_word(settled, values),
        table=connection.ops.quote_name(model._meta.db_table),
        row=row,
        tenant="tenant_id" if issubclass(model, TenantModel) else "id",
        now=column,
    )


def _word(settled: Settled, values: dict[str, Any]) -> str:
    """What an entry leaves behind, as SQL."""
    cases = []
    for at, (act, said) in enumerate(settled.says.items()):
        values |= {f"act{at}": act, f"word{at}": said.name if isinstance(said, Fact | Has) else said}
        fact = f"said -> 'facts' ->> %(word{at})s"
        word = (
            f"({fact} IS NOT NULL)::text"
            if isinstance(said, Has)
            else fact
            if isinstance(said, Fact)
            else f"%(word{at})s::text"
        )
        cases.append(f"WHEN %(act{at})s THEN {word}")
    return f"CASE action {' '.join(cases)} END"


def _column(model: Any, name: str) -> str:
    """The column of a field that exists, quoted. Raises LookupError."""
    if name not in {field.column for field in model._meta.concrete_fields}:
        raise LookupError(f"{model._meta.label} has no column {name!r}.")
    return f"kept.{connection.ops.quote_name(name)}"
