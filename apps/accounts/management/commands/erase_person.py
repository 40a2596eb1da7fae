"""Erase the private values of one person in one tenant or in all of theirs."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.accounts import actions
from apps.accounts.models import Member
from apps.tenants.context import TenantContext, as_system, tenant_context


class Command(BaseCommand):
    help = (
        "Erase the addresses and browsers that a person came with, in every tenant of theirs or in one. What they did "
        "stays in the audit log, whose chain holds as before; an entry attests the erasure."
    )

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("email")
        parser.add_argument("--tenant", help="address of one tenant; all of theirs when left out")

    def handle(self, *args: Any, **options: Any) -> None:
        with tenant_context(TenantContext(platform=True, credential="system")):
            rows = Member.objects.select_related("tenant", "user").filter(user__email__iexact=options["email"])
            members = list(rows.filter(tenant__slug=options["tenant"]) if options["tenant"] else rows)
        if not members:
            raise CommandError("No member has this address.")
        for member in members:
            with as_system(member.tenant.pk):
                count = actions.erase_private_values(member, by=None)
            self.stdout.write(f"{member.tenant.slug}: {count} values erased.")
