"""Walk the audit chain of every tenant: exit 0 whole, 1 tampered, 4 could not run."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand
from django.db import DatabaseError

from apps.audit.sealer import seal
from apps.audit.verify import Verification, verify
from apps.tenants.context import TenantContext, as_system, tenant_context
from apps.tenants.models import Tenant

WHOLE, TAMPERED, COULD_NOT_RUN = 0, 1, 4


class Command(BaseCommand):
    help = "Verify every tenant's audit log. Exits 0 when all are whole, 1 naming the first bad entry, 4 if it could not run."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--tenant", help="address of one tenant; all when left out")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = list(self._verify(options["tenant"]))
        except DatabaseError as error:
            self.stderr.write(f"Could not verify: {error}")
            sys.exit(COULD_NOT_RUN)
        if not found:
            self.stderr.write("There is no such tenant.")
            sys.exit(COULD_NOT_RUN)
        sys.exit(WHOLE if all(result.whole for result in found) else TAMPERED)

    def _verify(self, slug: str | None) -> Any:
        with tenant_context(TenantContext(platform=True, credential="system")):
            rows = Tenant.objects.order_by("slug")
            tenants = list(rows.filter(slug=slug) if slug else rows)
        for tenant in tenants:
            with as_system(tenant.pk):
                seal(tenant.pk)
                result = verify()
            self._say(tenant, result)
            yield result

    def _say(self, tenant: Tenant, result: Verification) -> None:
        if result.whole:
            head = result.head[:16]
            self.stdout.write(f"{tenant.slug:<24} whole     {result.sealed:>8} entries, head {head}…")
        else:
            text = f"{tenant.slug:<24} TAMPERED  first bad entry #{result.first_bad}: {result.reason}"
            self.stdout.write(self.style.ERROR(text))
