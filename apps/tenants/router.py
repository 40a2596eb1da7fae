"""Which role a query runs as: the platform role for a Super Admin, the app role for everybody else."""

from __future__ import annotations

from typing import Any

from .context import current


class RoleRouter:
    """Reads the context, so that nobody writes `.using()`. Migrations run as the owner alone."""

    def db_for_read(self, model: Any, **hints: Any) -> str:
        return "platform" if current().platform else "default"

    db_for_write = db_for_read

    def allow_relation(self, first: Any, second: Any, **hints: Any) -> bool:
        """Every alias is the same database under another role."""
        return True

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return db == "owner"
