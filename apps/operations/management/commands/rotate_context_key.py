"""Change the key that signs the tenant bound to each statement."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from apps.operations.actions import rotate_context_key
from apps.tenants.context_keys import OVERLAP


class Command(BaseCommand):
    help = (
        "Make a new key for the signed tenant context; processes take it up within a minute, and the old one holds for "
        "ten more. After a change of ORKESTRA_SECRET_KEY run it with the new secret before the processes get it."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: Any) -> None:
        text = "retire the keys of former secrets too; only when no process runs with one any more"
        parser.add_argument("--retire-others", action="store_true", help=text)

    def handle(self, *args: Any, **options: Any) -> None:
        if "owner" not in connections:
            raise CommandError("Only the owner of the tables may: set DATABASE_OWNER_URL.")
        kid = rotate_context_key(retire_others=options["retire_others"])
        minutes = int(OVERLAP.total_seconds() // 60)
        self.stdout.write(self.style.SUCCESS(f"Key {kid} is in force; the one before it holds for {minutes} minutes."))
