"""Migrate as the owner, grant what is declared, see that there is a context key, and check the wall and the key of the logs."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import connections

from apps.tenants import context_keys
from apps.tenants.catalogue import apply_grants, faults
from apps.tenants.slots import slots


class Command(migrate.Command):
    def add_arguments(self, parser: Any) -> None:
        super().add_arguments(parser)
        parser.set_defaults(database="owner")

    def handle(self, *args: Any, **options: Any) -> None:
        if "owner" not in connections:
            raise CommandError("Migrations run as the owner of the tables: set DATABASE_OWNER_URL.")
        super().handle(*args, **options)
        whole = not (options["app_label"] or options["plan"] or options["check_unapplied"])
        if not whole:
            return
        apply_grants()
        context_keys.ensure()
        if found := faults("owner"):
            raise CommandError("The wall between tenants does not stand:\n  " + "\n  ".join(found))
        if fault := slots.fault_of_audit_key():
            raise CommandError(f"The audit logs cannot go on: {fault}")
        self.stdout.write(self.style.SUCCESS("The wall between tenants stands."))
