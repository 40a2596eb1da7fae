"""Make Orkestra's roles and grants on a PostgreSQL of yours."""

from __future__ import annotations

from typing import Any

import psycopg
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from psycopg.conninfo import conninfo_to_dict

from apps.tenants import roles

OLDEST_VERSION = 150000


class Command(BaseCommand):
    help = "Make the roles and their grants, with the passwords that the DATABASE_…_URL variables hold."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--admin-url", required=True, help="a superuser's address of Orkestra's database")

    def handle(self, *args: Any, **options: Any) -> None:
        passwords = self._passwords()
        try:
            with psycopg.connect(options["admin_url"], autocommit=True) as admin:
                if admin.info.server_version < OLDEST_VERSION:
                    raise CommandError("Orkestra needs PostgreSQL 15 or newer.")
                roles.bootstrap(admin, passwords, admin.info.dbname)
        except psycopg.Error as error:
            raise CommandError(f"The database refused: {error}") from None
        self.stdout.write(self.style.SUCCESS("The roles stand; now run manage.py migrate."))

    def _passwords(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for variable, role in roles.VARIABLES.items():
            url = settings.CONFIG.text(variable)
            if not url and variable == "DATABASE_DIRECT_URL":
                continue
            parts = conninfo_to_dict(url) if url else {}
            if parts.get("user") != role or not parts.get("password"):
                raise CommandError(f"{variable} must name the role {role} and its password.")
            found[role] = str(parts["password"])
        return found
