"""Erase the private values of one person in one tenant, or everywhere."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from apps.accounts import actions
from apps.accounts.models import Member, User
from apps.tenants.context import TenantContext, as_system, tenant_context
from apps.tenants.models import PLATFORM_TENANT_ID


class Command(BaseCommand):
    help = (
        "Erase the addresses and browsers that a person came with, in one tenant or everywhere: in every tenant of theirs, "
        "in those that they visited as support, and in the platform's own log, failed sign-ins with their address among "
        "them. Everywhere signs them out, too. What somebody left who was not signed in, such as at a public form, is "
        "found by the e-mail address that they gave, be it anybody's account or not. "
        "What they did stays in the audit logs, whose chains hold as before; an entry of each attests the erasure."
    )

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("email")
        parser.add_argument("--tenant", help="address of one tenant; everywhere when left out")

    def handle(self, *args: Any, **options: Any) -> None:
        email, only = options["email"], options["tenant"]
        with tenant_context(TenantContext(platform=True, credential="system")):
            rows = Member.objects.select_related("tenant", "user").filter(user__email__iexact=email)
            members = list(rows.filter(tenant__slug=only) if only else rows)
        user = User.objects.filter(email__iexact=email).first()
        accounts = actions.accounts_known(email, user)
        for member in members:
            with as_system(member.tenant.pk):
                count = actions.erase_private_values(member, by=None)
            self.stdout.write(f"{member.tenant.slug}: {count} values erased.")
        if user and not only:
            self.stdout.write(f"outside of tenants: {actions.erase_outside_tenants(user)} values erased.")
        found = self._left(user.pk if user else None, accounts, only)
        if not members and not found and (only or user is None):
            raise CommandError("Nobody has this address. Nothing is kept of what was tried with it.")

    def _left(self, user: UUID | None, accounts: set[UUID], only: str | None) -> int:
        """What stands there by the person's id or their address's, in tenants of which they are no member, too."""
        total = 0
        for tenant in actions.tenants_with({user, *accounts} if user else accounts):
            if only not in {None, tenant.slug}:
                continue
            with as_system(tenant.pk):
                count = actions.erase_left(user, accounts)
            name = "the platform's log" if tenant.pk == PLATFORM_TENANT_ID else tenant.slug
            self.stdout.write(f"{name}: {count} values erased.")
            total += count
        return total
