"""The first owner of a tenant, when no demo is wanted."""

from __future__ import annotations

import getpass
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import connections, transaction

from apps.accounts import actions
from apps.accounts.models import User
from apps.tenants.refusals import Refused


class Command(BaseCommand):
    help = "Make a tenant and its first owner; --platform-admin makes a Super Admin without a tenant instead."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--email", required=True)
        parser.add_argument("--name", required=True)
        parser.add_argument("--tenant", help="address of the tenant, such as acme")
        parser.add_argument("--tenant-name")
        parser.add_argument("--timezone", default="UTC")
        parser.add_argument("--platform-admin", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["platform_admin"] and not options["tenant"]:
            raise CommandError("Name the tenant: --tenant acme (or give --platform-admin).")
        password = getpass.getpass("Password: ")
        try:
            validate_password(password, User(email=options["email"], name=options["name"]))
            if options["platform_admin"] and "owner" not in connections:
                raise CommandError("Only the owner of the tables makes a Super Admin: set DATABASE_OWNER_URL.")
            with transaction.atomic():
                user = self._make(options, password)
            if options["platform_admin"]:
                actions.make_super_admin(user)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        except Refused as refused:
            raise CommandError(str(refused)) from None
        self.stdout.write(self.style.SUCCESS(f"{options['email']} can sign in."))

    def _make(self, options: dict[str, Any], password: str) -> User:
        user = actions.create_person(
            email=options["email"],
            name=options["name"],
            password=password,
        )
        if options["tenant"]:
            name = options["tenant_name"] or options["tenant"].capitalize()
            actions.create_tenant(slug=options["tenant"], name=name, timezone=options["timezone"], owner=user)
        return user
