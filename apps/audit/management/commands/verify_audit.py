"""Verify every audit log: exit 0 whole, 1 tampered, 2 truncated, 3 a private value is missing, 4 could not run."""

from __future__ import annotations

import os
import sys
from typing import Any

from apps.audit import private
from apps.audit.instance import check_instance
from apps.audit.management.verdict import VerdictCommand
from apps.audit.parallel import in_processes
from apps.audit.sealer import seal
from apps.audit.verify import Verification, keep, verify
from apps.audit.walk import Damage, Kind
from apps.tenants.context import TenantContext, as_system, tenant_context
from apps.tenants.models import Tenant

WHOLE, TAMPERED, TRUNCATED, INCOMPLETE = range(4)


class Command(VerdictCommand):
    help = (
        "Verify the audit logs of all tenants and the log of all checkpoints. Exits 0 when all are whole, 1 naming the "
        "first bad entry and the kind of damage, 2 when an end is cut off, 3 when only private values are missing with no erasure to attest it, 4 if it could not run."
    )

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--tenant", help="address of one tenant; all when left out")
        how = parser.add_mutually_exclusive_group()
        how.add_argument("--full", action="store_true", help="from the first entry on; the default")
        how.add_argument("--incremental", action="store_true", help="only what has come since the last verification")
        parser.add_argument("--processes", type=int, default=min(2, os.cpu_count() or 1))

    lost = changed = 0  # private values

    def handle(self, *args: Any, **options: Any) -> None:
        found = list(self._verify(options))
        damage = None if options["tenant"] else self._instance()
        if not found:
            self.could_not_run("There is no such tenant.")
        kinds = {result.kind for result in found if not result.whole} | ({damage.kind.value} if damage else set())
        if self.changed or kinds - {Kind.TAIL_CUT.value}:
            sys.exit(TAMPERED)
        sys.exit(TRUNCATED if kinds else INCOMPLETE if self.lost else WHOLE)

    def _verify(self, options: dict[str, Any]) -> Any:
        with tenant_context(TenantContext(platform=True, credential="system")):
            rows = Tenant.objects.order_by("slug")
            tenants = list(rows.filter(slug=options["tenant"]) if options["tenant"] else rows)
        for tenant in tenants:
            with as_system(tenant.pk):
                seal(tenant.pk)
                result = verify(incremental=options["incremental"], walker=in_processes(options["processes"]))
                keep(result)
                values = private.examine() if result.whole and not options["incremental"] else None
            self._say(tenant, result)
            if values is not None:
                self.stdout.write(f"{'':<24} {values.in_words}")
                self.lost += values.lost
                self.changed += len(values.broken)
            yield result

    def _instance(self) -> Damage | None:
        """The log of all checkpoints, and the anchors outside."""
        try:
            check_instance()
        except Damage as fault:
            self.stdout.write(self.style.ERROR(f"{'all checkpoints':<24} TAMPERED  {fault.kind}: {fault}"))
            return fault
        self.stdout.write(f"{'all checkpoints':<24} whole")
        return None

    def _say(self, tenant: Tenant, result: Verification) -> None:
        if result.whole:
            since = f", from #{result.since}" if result.since else ""
            pruned = f", {result.pruned} pruned as the log says" if result.pruned else ""
            text = f"{result.sealed:>8} entries{since}, {result.signed} signed{pruned}, head {result.head[:16]}…"
            self.stdout.write(f"{tenant.slug:<24} whole     {text}")
        else:
            text = f"{tenant.slug:<24} TAMPERED  first bad entry #{result.first_bad}: {result.kind}: {result.reason}"
            self.stdout.write(self.style.ERROR(text))
