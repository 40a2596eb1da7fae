"""A log that many tests damage: each puts all its rows back, which takes less than making it anew."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.apps import apps
from psycopg import sql

from apps.audit import sealer
from apps.audit.models import Checkpoint
from apps.tenants.context import as_system
from tests import database
from tests.cast import Company

FREE = "SET session_replication_role = replica"  # a superuser's way past foreign keys and triggers
TABLES = [model._meta.db_table for model in apps.get_app_config("audit").get_models() if hasattr(model, "tenant")]


def attack(*statements: str, **values: object) -> None:
    """What somebody with the whole database could do."""
    with database.superuser() as admin:
        admin.execute(FREE)
        for statement in statements:
            admin.execute(statement, values)


class Standing:
    """A company, and every row that its log consists of, by table, as they are now."""

    def __init__(self, company: Company) -> None:
        self.company = company
        self.rows = self._copied()
        with as_system(company.id):
            self.checkpoints = Checkpoint.objects.count()

    def _copied(self) -> dict[str, bytes]:
        rows = {}
        with database.superuser() as admin:
            for table in TABLES:
                mine = sql.SQL("COPY (SELECT * FROM {} WHERE tenant_id = {} ORDER BY id) TO STDOUT (FORMAT binary)")
                with admin.cursor().copy(mine.format(sql.Identifier(table), sql.Literal(self.company.id))) as out:
                    rows[table] = b"".join(out)
        return rows

    def is_as_it_was(self) -> bool:
        return self._copied() == self.rows

    def was_signed(self) -> bool:
        """Whether there are more checkpoints by now: the log of all checkpoints would go on to hold them."""
        with as_system(self.company.id):
            return Checkpoint.objects.count() > self.checkpoints

    def put_back(self) -> None:
        with database.superuser() as admin, admin.transaction():
            admin.execute(FREE)
            for table, rows in self.rows.items():
                name = sql.Identifier(table)
                admin.execute(sql.SQL("DELETE FROM {} WHERE tenant_id = %s").format(name), [self.company.id])
                with admin.cursor().copy(sql.SQL("COPY {} FROM STDIN (FORMAT binary)").format(name)) as into:
                    into.write(rows)
        sealer._heads.clear()


@contextmanager
def whole(standing: Any) -> Iterator[Company]:
    """The company of a log that is made once for a process, and anew where another test or a signature has changed it."""
    if not standing().is_as_it_was():
        standing.cache_clear()
    yield standing().company
    if standing().was_signed():
        standing.cache_clear()
    else:
        standing().put_back()
