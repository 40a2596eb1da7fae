"""Give a tenant another plan, a trial, or a limit of its own."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from apps.billing import actions
from apps.billing.rules import Resource
from apps.tenants import clock
from apps.tenants.context import TenantContext, as_system, tenant_context
from apps.tenants.models import Tenant
from apps.tenants.refusals import Refused


class Command(BaseCommand):
    help = "Set a tenant's plan: set_plan acme team [--trial-days 30] [--limit members=80]"

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("tenant", help="address of the tenant")
        parser.add_argument("plan")
        parser.add_argument("--trial-days", type=int)
        parser.add_argument("--limit", action="append", default=[], metavar="RESOURCE=MOST")

    def handle(self, *args: Any, **options: Any) -> None:
        with tenant_context(TenantContext(platform=True, credential="system")):
            tenant = Tenant.objects.filter(slug=options["tenant"]).first()
        if tenant is None:
            raise CommandError(f"There is no tenant {options['tenant']}.")
        days = options["trial_days"]
        ends = clock.now() + timedelta(days=days) if days is not None else None
        try:
            with as_system(tenant.pk), transaction.atomic():
                actions.change_plan(options["plan"], trial_ends_at=ends)
                for text in options["limit"]:
                    actions.override(*resource_and_most(text))
        except Refused as refused:
            raise CommandError(str(refused)) from None
        self.stdout.write(self.style.SUCCESS(f"{tenant.slug} has the plan {options['plan']} now."))


def resource_and_most(text: str) -> tuple[Resource, int]:
    """`members=80` as a resource and its limit. Raises CommandError."""
    name, _equals, most = text.partition("=")
    try:
        return Resource(name), int(most)
    except ValueError:
        known = ", ".join(resource.value for resource in Resource)
        raise CommandError(f"--limit is RESOURCE=MOST with one of {known}, not {text!r}.") from None
