"""Compare what the rooms store with what the log says, to find an act that was never logged: hashes cannot show that.

Each room declares in `slots.logged` which act an entry of each of its rows must have. Sets are compared in the database,
one statement for each model and direction.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.apps import apps
from django.db import DataError, connection

from apps.tenants import clock
from apps.tenants.context import current_tenant
from apps.tenants.models import Access
from apps.tenants.security_events import Kind, security_event
from apps.tenants.slots import Logged, slots

from .models import Reconciled

# A row is not judged where retention has taken the bodies of entries that are newer than it; ids sort by time.
SAID = """
    WITH entry AS MATERIALIZED (
      SELECT id, CASE WHEN octet_length(body) > 0 THEN convert_from(body, 'UTF8')::jsonb END AS said
      FROM audit_entry WHERE tenant_id = %(tenant)s AND action = ANY(%(acts)s)),
    pruned AS (
      SELECT id FROM audit_entry WHERE tenant_id = %(tenant)s AND action = '' ORDER BY time DESC, id DESC LIMIT 1),
    told AS (
      SELECT entry.id AS entry, target ->> 'id' AS id, said -> 'facts' AS facts
      FROM entry, jsonb_array_elements(said -> 'targets') AS target WHERE target ->> 'type' = %(target)s)"""
UNLOGGED = """{said}
    SELECT kept.id, count(*) OVER () FROM {table} AS kept
    WHERE kept.tenant_id = %(tenant)s AND kept.id > coalesce((SELECT id FROM pruned), %(zero)s::uuid)
      AND NOT EXISTS (SELECT 1 FROM told WHERE {same})
    ORDER BY kept.id LIMIT 1"""
VANISHED = """{said}
    SELECT told.id, count(*) OVER () FROM told
    WHERE NOT EXISTS (SELECT 1 FROM {table} AS kept WHERE kept.tenant_id = %(tenant)s AND kept.id::text = told.id)
    ORDER BY told.id LIMIT 1"""
ZERO = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True)
class Reconciliation:
    """`missing` counts what has no counterpart, `reason` names the first; `compared` counts kinds of rows."""

    whole: bool
    compared: int
    missing: int
    reason: str
    at: datetime


def reconcile() -> Reconciliation:
    """Compare every kind of row of the tenant in force with the log; the first difference is named."""
    missing, reason, compared = 0, "", 0
    for logged in slots.logged:
        compared += 1
        try:
            found = [_unlogged(logged), _vanished(logged)]
        except DataError:
            found = [(f"Entries of {', '.join(logged.acts)} cannot be read: verify_audit names them.", 1)]
        for text, count in found:
            missing += count
            reason = reason or text
    return Reconciliation(not missing, compared, missing, reason, clock.now())


def keep(made: Reconciliation) -> Reconciliation:
    """Remember it for the pages, and tell everybody who watches once when something new is missing."""
    before = Reconciled.objects.first()
    values = {"whole": made.whole, "compared": made.compared, "missing": made.missing, "at": made.at}
    Reconciled.objects.update_or_create(pk=current_tenant(), defaults=values | {"reason": made.reason[:300]})
    if not made.whole and (before is None or (before.missing, before.reason) != (made.missing, made.reason[:300])):
        security_event(Kind.ACT_UNLOGGED, tenant=str(current_tenant()), missing=made.missing, reason=made.reason)
    return made


def last_reconciliation() -> Reconciled | None:
    """What the last one found that was kept."""
    return Reconciled.objects.first()


def _unlogged(logged: Logged) -> tuple[str, int]:
    """The first row that no entry tells of as it is, in words, and how many there are."""
    same = [f"told.id = kept.{_column(logged, logged.column)}::text"] if logged.column else []
    same += [f"told.facts ->> '{fact}' = kept.{_column(logged, column)}::text" for fact, column in logged.facts.items()]
    row, count = _first(UNLOGGED, logged, " AND ".join(same))
    text = f"{logged.key} {row}: no entry {' or '.join(logged.acts)} tells of it as it is stored ({count} such rows)"
    return (text, count) if count else ("", 0)


def _vanished(logged: Logged) -> tuple[str, int]:
    """The first row of a table that only grows of which an entry tells and which is gone."""
    model = apps.get_model(logged.key)
    if model.access is not Access.APPEND or logged.column != "id":  # type: ignore[attr-defined]
        return "", 0
    row, count = _first(VANISHED, logged, "")
    text = f"{logged.key} {row}: an entry {' or '.join(logged.acts)} tells of it, and it is gone ({count} such rows)"
    return (text, count) if count else ("", 0)


def _column(logged: Logged, name: str) -> str:
    """The column's name, quoted, of a field that exists."""
    fields = {field.column for field in apps.get_model(logged.key)._meta.concrete_fields}
    if name not in fields:
        raise LookupError(f"{logged.key} has no column {name!r}.")
    return connection.ops.quote_name(name)


def _first(query: str, logged: Logged, same: str) -> tuple[Any, int]:
    table = connection.ops.quote_name(apps.get_model(logged.key)._meta.db_table)
    values: dict[str, Any] = {
        "tenant": current_tenant(),
        "acts": list(logged.acts),
        "target": logged.target,
        "zero": ZERO,
    }
    with connection.cursor() as cursor:
        cursor.execute(query.format(said=SAID, table=table, same=same), values)
        return cursor.fetchone() or (None, 0)
