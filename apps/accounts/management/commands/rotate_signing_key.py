"""Another key for access tokens."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from apps.accounts import actions


class Command(BaseCommand):
    help = "Add a key for access tokens; it signs in five minutes. --now ends every other key and what it signed."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--now", action="store_true", help="for a key that was lost or stolen")

    def handle(self, *args: Any, **options: Any) -> None:
        made = actions.rotate_signing_key(at_once=options["now"])
        when = "now" if options["now"] else f"from {made.signs_from:%Y-%m-%d %H:%M:%S} UTC"
        self.stdout.write(self.style.SUCCESS(f"Key {made.kid} is published and signs {when}."))
