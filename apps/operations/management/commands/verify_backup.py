"""Compare a backup with what it says of itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from apps.operations import backup


class Command(BaseCommand):
    help = "Compare every part of a backup with its SHA-256 (default: the newest); only a restore proves the rest."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("folder", nargs="?", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        folder = options["folder"] or backup.latest(settings.BACKUPS_ROOT)
        if folder is None:
            raise CommandError(f"There is no backup below {settings.BACKUPS_ROOT}.")
        try:
            manifest = backup.check(folder)
        except backup.Damaged as error:
            raise CommandError(str(error)) from None
        self.stdout.write(self.style.SUCCESS(f"{folder.name} is what was written at {manifest.made_at}."))
