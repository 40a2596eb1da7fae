"""Compare what the rooms store with what the log says, to find an act that was never logged: hashes cannot show that.

Each room declares in `slots.logged` which act an entry of each of its rows must have, and in `slots.settled` what the
newest entry leaves behind (`settled.py`), and in `slots.attested` what must be as a hash or an entry beside it says. Sets are compared in the database, one statement for each model and direction.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db import DataError, connection, transaction

from apps.tenants import clock
from apps.tenants.context import as_system, current_tenant
from apps.tenants.logged import Attested, Logged, Settled
from apps.tenants.models import Access
from apps.tenants.security_events import Kind, security_event
from apps.tenants.slots import slots

from .actions import record
from .models import Entry, Reconciled, Seal
from .pruning import recorded
from .settled import NAMED, otherwise

SAID = """
    WITH entry AS MATERIALIZED (
      SELECT id, CASE WHEN octet_length(body) > 0 THEN convert_from(body, 'UTF8')::jsonb END AS said
      FROM audit_entry WHERE tenant_id = %(tenant)s AND action = ANY(%(acts)s)),
    told AS (
      SELECT entry.id AS entry, target ->> 'id' AS id, said -> 'facts' AS facts
      FROM entry, jsonb_array_elements(said -> 'targets') AS target WHERE target ->> 'type' = %(target)s)"""
UNLOGGED = """{said}
    SELECT kept.id, count(*) OVER () FROM {table} AS kept
    WHERE kept.tenant_id = %(tenant)s AND kept.id > %(judged)s
      AND NOT EXISTS (SELECT 1 FROM told WHERE {same})
    ORDER BY kept.id LIMIT %(named)s"""
VANISHED = """{said}
    SELECT told.id, count(*) OVER () FROM told
    WHERE NOT EXISTS (SELECT 1 FROM {table} AS kept WHERE kept.tenant_id = %(tenant)s AND kept.id::text = told.id)
    ORDER BY told.id LIMIT %(named)s"""
UNTOLD, GONE, OTHERWISE, UNREADABLE, CHANGED = "untold", "gone", "otherwise", "unreadable", "changed"
ZERO, LAST = UUID(int=0), 2**128 - 1
LATE_MS, MS_BITS = 3_600_000, 80  # an id begins with its milliseconds; nothing commits an hour after it was made


@dataclass(frozen=True)
class Missing:
    """What is amiss with one kind of row: `how` says in which way, `ids` names the first few of `count`."""

    kind: str
    how: str
    acts: tuple[str, ...]
    count: int
    ids: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """All of it in one line."""
        what = {
            UNTOLD: "no entry {acts} tells of it as it is stored",
            GONE: "an entry {acts} tells of it, and it is gone",
            OTHERWISE: "the newest entry {acts} says otherwise",
            CHANGED: "what is stored is not what its hash or its entry says",
            UNREADABLE: "entries {acts} cannot be read: verify_audit names them",
        }[self.how]
        more = f", and {self.count - len(self.ids)} more" if self.count > len(self.ids) and self.ids else ""
        named = " ".join([self.kind, ", ".join(self.ids)]).strip()
        return f"{named}{more}: {what.format(acts=' or '.join(self.acts))} ({self.count})"

    def facts(self) -> dict[str, Any]:
        """As the entry about it has it."""
        return {"kind": self.kind, "how": self.how, "acts": list(self.acts), "count": self.count, "ids": list(self.ids)}


@dataclass(frozen=True)
class Reconciliation:
    """`found` names each kind of row that does not agree; `compared` counts those that were looked at."""

    compared: int
    found: tuple[Missing, ...]
    at: datetime

    @property
    def whole(self) -> bool:
        return not self.found

    @property
    def missing(self) -> int:
        """How many rows have no counterpart."""
        return sum(one.count for one in self.found)

    @property
    def reason(self) -> str:
        """The first that was found, in words."""
        return self.found[0].text if self.found else ""


def reconcile() -> Reconciliation:
    """Compare every kind of row of the tenant in force with the log."""
    found: list[Missing] = []
    judged = _judged_after()
    for logged in slots.logged:
        try:
            found += [one for one in (_untold(logged, judged), _gone(logged)) if one]
        except DataError:
            found.append(Missing(logged.key, UNREADABLE, logged.acts, 1))
    for settled in slots.settled:
        found += _otherwise(settled)
    for attested in slots.attested:
        found += _changed(attested)
    return Reconciliation(len(list(slots.logged)), tuple(found), clock.now())


@transaction.atomic
def keep(made: Reconciliation) -> Reconciliation:
    """Remember it for the pages; what is newly missing is an entry of the log itself and told to all who watch, once."""
    before, known = Reconciled.objects.first(), last_found()
    values = {"whole": made.whole, "compared": made.compared, "missing": made.missing, "at": made.at}
    Reconciled.objects.update_or_create(pk=current_tenant(), defaults=values | {"reason": made.reason[:300]})
    if not made.whole and (before is None or before.whole or known != list(made.found)):
        with as_system(current_tenant()):
            record("audit.unlogged", facts={"missing": made.missing, "kinds": [one.facts() for one in made.found]})
        said = " · ".join(one.text for one in made.found)
        security_event(Kind.ACT_UNLOGGED, tenant=str(current_tenant()), missing=made.missing, reason=said)
    return made


def last_found() -> list[Missing]:
    """What was last found missing, as the entry about it says; one may have been mended since."""
    entry = Entry.objects.filter(action="audit.unlogged").order_by("-time", "-id").first()
    kinds = entry.facts.get("kinds", []) if entry else []
    return [Missing(**one | {"acts": tuple(one["acts"]), "ids": tuple(one["ids"])}) for one in kinds]


def last_reconciliation() -> Reconciled | None:
    """What the last one found that was kept."""
    return Reconciled.objects.first()


def _judged_after() -> UUID:
    """Rows up to this id are not judged, since retention may have taken the entries that told of them.

    Entries that were taken prove nothing, their ids neither; so the id is that of the first that has to be there. Ids sort
    by time.
    """
    until = recorded().until
    first = Seal.objects.filter(seq=until).first() if until else None
    return UUID(int=min(first.entry_id.int + (LATE_MS << MS_BITS), LAST)) if first else ZERO


def _untold(logged: Logged, judged: UUID) -> Missing | None:
    """Rows that no entry tells of as they are."""
    same = [f"told.id = kept.{_column(logged, logged.column)}::text"] if logged.column else []
    facts = logged.facts.items()
    same += [f"told.facts ->> '{fact}' IS NOT DISTINCT FROM kept.{_column(logged, at)}::text" for fact, at in facts]
    return _missing(UNLOGGED, logged, UNTOLD, " AND ".join(same), judged)


def _gone(logged: Logged) -> Missing | None:
    """Rows of a table that only grows of which an entry tells and which are gone."""
    model = apps.get_model(logged.key)
    if model.access is not Access.APPEND or logged.column != "id":  # type: ignore[attr-defined]
        return None
    return _missing(VANISHED, logged, GONE, "")


def _otherwise(settled: Settled) -> list[Missing]:
    """Rows that are not as the newest entry about them says."""
    try:
        count, ids = otherwise(settled)
    except DataError:
        return [Missing(settled.key, UNREADABLE, tuple(settled.says), 1)]
    return [Missing(settled.key, OTHERWISE, tuple(settled.says), count, ids)] if count else []


def _changed(attested: Attested) -> list[Missing]:
    """Rows that are not as a hash or an entry beside them says."""
    count, named = 0, []
    for pk in attested.differing():
        count += 1
        if count <= NAMED:
            named.append(str(pk))
    return [Missing(attested.key, CHANGED, (), count, tuple(named))] if count else []


def _column(logged: Logged, name: str) -> str:
    """The column's name, quoted, of a field that exists."""
    fields = {field.column for field in apps.get_model(logged.key)._meta.concrete_fields}
    if name not in fields:
        raise LookupError(f"{logged.key} has no column {name!r}.")
    return connection.ops.quote_name(name)


def _missing(query: str, logged: Logged, how: str, same: str, judged: UUID = ZERO) -> Missing | None:
    table = connection.ops.quote_name(apps.get_model(logged.key)._meta.db_table)
    values: dict[str, Any] = {
        "tenant": current_tenant(),
        "acts": list(logged.acts),
        "target": logged.target,
        "judged": judged,
        "named": NAMED,
    }
    with connection.cursor() as cursor:
        cursor.execute(query.format(said=SAID, table=table, same=same), values)
        rows = cursor.fetchall()
    return Missing(logged.key, how, logged.acts, rows[0][1], tuple(str(row[0]) for row in rows)) if rows else None
