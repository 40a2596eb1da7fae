"""Row-level security as part of a model's state, so that migrations make, track and drop it."""

from __future__ import annotations

from typing import Any

from django.db import migrations, models
from django.db.backends.ddl_references import Statement, Table

from .roles import APP, OWNER, PLATFORM, SEALER

# In a sub-select the function is evaluated once a statement, not once a row.
BOUND = "(SELECT orkestra_tenant())"
PERSON = "(SELECT orkestra_user())"
# True only under a signed context that says that no tenant is known yet: an injected statement cannot make one.
UNBOUND = "(SELECT orkestra_before_tenant())"
# What the owner binds, unsigned: migrations, and functions that run as the owner. It opens policies of the owner only.
OWNER_BOUND = "(SELECT orkestra_owner_tenant())"
TENANT_POLICIES = ("tenant", "owner", "read_across", "platform_write")


def before_tenant(table: str, reads: str = "true") -> migrations.RunSQL:
    """For a table of the installation: it is written before a tenant is known, and by no statement inside one."""
    names = ("asked", "add", "change", "forget", "owner", "read_across")
    return migrations.RunSQL(
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY; ALTER TABLE {table} FORCE ROW LEVEL SECURITY; "
        f"CREATE POLICY asked ON {table} FOR SELECT TO {APP} USING ({reads}); "
        f"CREATE POLICY add ON {table} FOR INSERT TO {APP} WITH CHECK ({UNBOUND}); "
        f"CREATE POLICY change ON {table} FOR UPDATE TO {APP} USING ({UNBOUND}) WITH CHECK ({UNBOUND}); "
        f"CREATE POLICY forget ON {table} FOR DELETE TO {APP} USING ({UNBOUND}); "
        f"CREATE POLICY owner ON {table} TO {OWNER} USING (true); "
        f"CREATE POLICY read_across ON {table} FOR SELECT TO {PLATFORM} USING (true)",
        f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY; ALTER TABLE {table} DISABLE ROW LEVEL SECURITY; "
        + "; ".join(f"DROP POLICY {name} ON {table}" for name in names),
    )


class TenantPolicy(models.BaseConstraint):
    """ENABLE and FORCE row-level security: rows of the bound tenant only, for reading and for writing.

    The owner has a policy too, or a data migration would silently change nothing. The platform role reads across tenants
    and writes only where it is bound; the sealer reads across and has grants on the audit tables alone.
    """

    def create_sql(self, model: Any, schema_editor: Any) -> Statement:  # type: ignore[override]
        table = schema_editor.quote_name(model._meta.db_table)
        own, owners = f"tenant_id = {BOUND}", f"tenant_id = {OWNER_BOUND}"
        return Statement(
            f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY; "
            f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY; "
            f"CREATE POLICY tenant ON {table} TO {APP}, {SEALER} USING ({own}) WITH CHECK ({own}); "
            f"CREATE POLICY owner ON {table} TO {OWNER} USING ({owners}) WITH CHECK ({owners}); "
            f"CREATE POLICY read_across ON {table} FOR SELECT TO {PLATFORM}, {SEALER} USING (true); "
            f"CREATE POLICY platform_write ON {table} TO {PLATFORM} USING ({own}) WITH CHECK ({own})",
            table=Table(model._meta.db_table, schema_editor.quote_name),
        )

    def constraint_sql(self, model: Any, schema_editor: Any) -> None:  # type: ignore[override]
        """Nothing inside CREATE TABLE; the policy follows at once, before any other deferred statement."""
        schema_editor.deferred_sql.insert(0, self.create_sql(model, schema_editor))

    def remove_sql(self, model: Any, schema_editor: Any) -> Statement:  # type: ignore[override]
        table = schema_editor.quote_name(model._meta.db_table)
        drops = "; ".join(f"DROP POLICY {name} ON {table}" for name in TENANT_POLICIES)
        return Statement(drops, table=Table(model._meta.db_table, schema_editor.quote_name))

    def validate(self, *args: Any, **kwargs: Any) -> None:
        """Rows are judged by the database."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TenantPolicy) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)
