"""Find acts that were never logged: exit 0 none, 1 naming each kind, 4 could not run."""

from __future__ import annotations

import sys
from typing import Any

from apps.audit.management.verdict import VerdictCommand
from apps.audit.reconcile import keep, reconcile
from apps.tenants.context import TenantContext, as_system, tenant_context
from apps.tenants.models import Tenant

WHOLE, UNLOGGED = range(2)


class Command(VerdictCommand):
    help = (
        "Compare what is stored with what the audit logs say. Exits 0 when every row has its entry, 1 naming each kind "
        "of row that has none, 4 if it could not run."
    )

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--tenant", help="address of one tenant; all when left out")

    def handle(self, *args: Any, **options: Any) -> None:
        found = self._all(options["tenant"])
        if not found:
            self.could_not_run("There is no such tenant.")
        sys.exit(WHOLE if all(found) else UNLOGGED)

    def _all(self, slug: str | None) -> list[bool]:
        with tenant_context(TenantContext(platform=True, credential="system")):
            rows = Tenant.objects.order_by("slug")
            tenants = list(rows.filter(slug=slug) if slug else rows)
        found = []
        for tenant in tenants:
            with as_system(tenant.pk):
                made = keep(reconcile())
            found.append(made.whole)
            if made.whole:
                self.stdout.write(f"{tenant.slug:<24} every row of {made.compared} kinds has its entry")
            else:
                self.stdout.write(self.style.ERROR(f"{tenant.slug:<24} {made.missing} WITHOUT AN ENTRY"))
                for one in made.found:
                    self.stdout.write(f"  {one.text}")
        return found
