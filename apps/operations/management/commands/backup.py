"""Take a backup."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from apps.operations import backup
from apps.operations.actions import backup_made
from apps.operations.backup.tools import NoTool, ToolFailed


class Command(BaseCommand):
    help = (
        "Back up database and files into a folder (default: backups below ORKESTRA_HOME); exits 1 if it is not whole."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("folder", nargs="?", type=Path, default=settings.BACKUPS_ROOT)

    def handle(self, *args: Any, **options: Any) -> None:
        url = settings.CONFIG.text("DATABASE_BACKUP_URL")
        if not url:
            raise CommandError("DATABASE_BACKUP_URL is not set.")
        try:
            place = backup.make(options["folder"], url=url, attachments=Path(settings.ATTACHMENTS_ROOT))
            manifest = backup.check(place)
        except (NoTool, ToolFailed, OSError, psycopg.Error, backup.Damaged) as error:
            raise CommandError(f"No backup was made: {error}") from None
        backup_made(manifest)
        self.stdout.write(self.style.SUCCESS(f"{place}"))
        self.stdout.write(
            f"{sum(manifest.rows.values())} rows, {manifest.files} files, {len(manifest.heads)} audit logs."
        )
        for path in backup.rotate(options["folder"]):
            self.stdout.write(f"Removed {path.name}, which has grown old.")
