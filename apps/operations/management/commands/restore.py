"""Restore a backup into an empty installation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from apps.operations import backup
from apps.operations.actions import backup_restored
from apps.operations.backup.restore import NotEmpty
from apps.operations.backup.tools import NoTool, ToolFailed


class Command(BaseCommand):
    help = "Restore a backup into an empty database and folder of files, and prove that it is what was taken."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("folder", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        url, reader = (settings.CONFIG.text(f"DATABASE_{name}_URL") for name in ("OWNER", "BACKUP"))
        if not url or not reader:
            raise CommandError("DATABASE_OWNER_URL and DATABASE_BACKUP_URL must be set.")
        files = Path(settings.ATTACHMENTS_ROOT)
        try:
            manifest = backup.restore(
                options["folder"], url=url, reader=reader, attachments=files, say=self.stdout.write
            )
        except (backup.Damaged, NotEmpty, NoTool, ToolFailed, OSError, psycopg.Error) as error:
            raise CommandError(f"Not restored: {error}") from None
        backup_restored(manifest)
        self.stdout.write(self.style.SUCCESS("Restored and verified."))
