"""Another key for what is stored encrypted, while everything runs."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from apps.operations.actions import encryption_key_rotated
from apps.tenants import encryption
from apps.tenants.slots import slots


class Command(BaseCommand):
    help = (
        "Put a new key in front of the file that ORKESTRA_ENCRYPTION_KEY_FILE names, seal every stored secret anew, and "
        "drop the keys that nothing needs any more. Where the keys stand in the environment, put one in front there, "
        "start everything again, and run this with --keep-keys."
    )

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--keep-keys", action="store_true", help="change no key: only seal by the newest")

    def handle(self, *args: Any, **options: Any) -> None:
        path = Path(settings.ENCRYPTION_KEY_FILE) if settings.ENCRYPTION_KEY_FILE else None
        if path is None and not options["keep_keys"]:
            raise CommandError(
                "The keys are no file here; put the new one in front of ORKESTRA_ENCRYPTION_KEY by hand."
            )
        if path is not None and not options["keep_keys"]:
            _write(path, [secrets.token_urlsafe(32), *_read(path)])
        encryption_key_rotated(encryption.ring(), kept=options["keep_keys"])
        for fields in slots.sealed:
            self.stdout.write(f"{fields.key:<28} {fields.reseal():>6} sealed anew")
        needed = set().union(*(fields.names() for fields in slots.sealed))
        left = {key.name for key in encryption.ring()[1:]} & needed
        if left:
            raise CommandError(
                f"Something was sealed by an older key meanwhile ({', '.join(sorted(left))}); run it again."
            )
        if path is not None and not options["keep_keys"]:
            _write(path, _read(path)[:1])
        self.stdout.write(self.style.SUCCESS(f"Everything is sealed by {encryption.ring()[0].name}."))


def _read(path: Path) -> list[str]:
    return [part.strip() for part in path.read_text(encoding="utf-8").split(",") if part.strip()]


def _write(path: Path, keys: list[str]) -> None:
    """In one step, with the owner and the mode that the file has."""
    old, partial = path.stat(), path.with_name(path.name + ".partial")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(",".join(keys) + "\n")
        file.flush()
        os.fsync(file.fileno())
    if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
        os.chown(partial, old.st_uid, old.st_gid)
    partial.replace(path)
