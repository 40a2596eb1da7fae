"""Who looks across all tenants."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from apps.accounts.actions import make_super_admin, unmake_super_admin
from apps.accounts.models import User


class Command(BaseCommand):
    help = "Make a person a Super Admin, or with --take-away an ordinary person again; the platform's log tells of it."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("email")
        parser.add_argument("--take-away", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(email__iexact=options["email"], is_service=False).first()
        if user is None:
            raise CommandError("Nobody has this address.")
        if user.is_platform_admin is not options["take_away"]:
            raise CommandError("Nothing to do: it is so already.")
        if options["take_away"]:
            unmake_super_admin(user)
            self.stdout.write(self.style.SUCCESS(f"{user.email} is no Super Admin any more."))
            return
        if "owner" not in connections:
            raise CommandError("Only the owner of the tables makes a Super Admin: set DATABASE_OWNER_URL.")
        make_super_admin(user)
        self.stdout.write(self.style.SUCCESS(f"{user.email} is a Super Admin."))
