"""A new version of a plan: other limits, another retention of the audit log."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from apps.audit.pruning import LEAST_DAYS
from apps.billing import actions
from apps.tenants.refusals import Refused

from .set_plan import resource_and_most


class Command(BaseCommand):
    help = "Define a new version of a plan: define_plan team --limit members=80 --log-days 400. set_plan gives it to a tenant."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("plan")
        parser.add_argument("--limit", action="append", default=[], metavar="RESOURCE=MOST")
        parser.add_argument("--log-days", type=int, help="bodies of older audit entries are pruned; left out, never")

    def handle(self, *args: Any, **options: Any) -> None:
        days = options["log_days"]
        if days is not None and days < LEAST_DAYS:
            raise CommandError(f"Entries stay at least {LEAST_DAYS} days.")
        if "owner" not in connections:
            raise CommandError("Only the owner of the tables may: set DATABASE_OWNER_URL.")
        try:
            made = actions.define_plan(options["plan"], dict(map(resource_and_most, options["limit"])), log_days=days)
        except Refused as refused:
            raise CommandError(str(refused)) from None
        self.stdout.write(self.style.SUCCESS(f"{made} is defined; tenants that have the plan keep their version."))
