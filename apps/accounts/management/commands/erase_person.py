"""Erase the private values of one person in one tenant, or everywhere."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.accounts import actions
from apps.accounts.models import Member, User
from apps.tenants.context import TenantContext, as_system, tenant_context


class Command(BaseCommand):
    help = (
        "Erase the addresses and browsers that a person came with, in one tenant or everywhere: in every tenant of theirs "
        "and in the platform's own log, failed sign-ins with their address among them. Everywhere signs them out, too. "
        "Of an address that nobody has, what failed sign-ins with it left is erased. "
        "What they did stays in the audit logs, whose chains hold as before; an entry of each attests the erasure."
    )

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("email")
        parser.add_argument("--tenant", help="address of one tenant; everywhere when left out")

    def handle(self, *args: Any, **options: Any) -> None:
        with tenant_context(TenantContext(platform=True, credential="system")):
            rows = Member.objects.select_related("tenant", "user").filter(user__email__iexact=options["email"])
            members = list(rows.filter(tenant__slug=options["tenant"]) if options["tenant"] else rows)
        user = User.objects.filter(email__iexact=options["email"]).first()
        if options["tenant"] and not members:
            raise CommandError("Nobody has this address.")
        if user is None:
            return self._tried(options["email"])
        for member in members:
            with as_system(member.tenant.pk):
                count = actions.erase_private_values(member, by=None)
            self.stdout.write(f"{member.tenant.slug}: {count} values erased.")
        if not options["tenant"]:
            self.stdout.write(f"outside of tenants: {actions.erase_outside_tenants(user)} values erased.")

    def _tried(self, email: str) -> None:
        if not (count := actions.erase_tried(email)):
            raise CommandError("Nobody has this address. Nothing is kept of what was tried with it.")
        self.stdout.write(f"Nobody has this address; of what was tried with it {count} values erased.")
