"""Shut a whole tenant out, and let it in again."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.accounts import actions
from apps.tenants.context import TenantContext, tenant_context
from apps.tenants.models import Tenant
from apps.tenants.refusals import Refused


class Command(BaseCommand):
    help = "Let nobody of a tenant in from the next request on: suspend_tenant acme --reason '…'; --resume ends it."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("tenant", help="address of the tenant")
        parser.add_argument("--reason", required=True, help="the tenant's owners get it by mail")
        parser.add_argument("--resume", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        with tenant_context(TenantContext(platform=True, credential="system")):
            tenant = Tenant.objects.filter(slug=options["tenant"]).first()
        if tenant is None:
            raise CommandError(f"There is no tenant {options['tenant']}.")
        act = actions.resume_tenant if options["resume"] else actions.suspend_tenant
        try:
            act(tenant, by=None, reason=options["reason"])
        except Refused as refused:
            raise CommandError(str(refused)) from None
        said = "is open again" if options["resume"] else "is suspended: nobody gets in, and nothing was deleted"
        self.stdout.write(self.style.SUCCESS(f"{tenant.name} {said}."))
