"""Open the form by which anyone reports a vulnerability of this installation."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.accounts.models import Member
from apps.accounts.rules import Role
from apps.forms.actions.disclosure import SLUG, open_disclosure
from apps.forms.public import address_of
from apps.tenants.context import TenantContext, tenant_context, with_changes
from apps.tenants.models import Tenant
from apps.tenants.refusals import Problem


class Command(BaseCommand):
    help = (
        "Make the vulnerability report form in a tenant, with its owners as triage and as those who confirm and verify."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", default=settings.DISCLOSURE_TENANT, help="default: ORKESTRA_DISCLOSURE_TENANT")

    def handle(self, *args: Any, **options: Any) -> None:
        slug = options["tenant"]
        with tenant_context(TenantContext(platform=True, credential="system")):
            tenant = Tenant.objects.filter(slug=slug).first()
        if tenant is None:
            raise CommandError(f"There is no tenant {slug}.")
        with tenant_context(TenantContext.system(tenant.pk)):
            people = list(Member.objects.active().filter(role=Role.OWNER).select_related("user").order_by("joined_at"))
            if not people:
                raise CommandError(f"{slug} has no owner.")
            try:
                with with_changes(permissions=people[0].permissions):
                    open_disclosure(by=people[0], triage=people, owners=people)
            except Problem as problem:
                raise CommandError(str(problem.detail)) from None
        self.stdout.write(self.style.SUCCESS(f"Anyone reports at {settings.PUBLIC_URL}{address_of(slug, SLUG)}"))
        if slug != settings.DISCLOSURE_TENANT:
            self.stdout.write(f"Set ORKESTRA_DISCLOSURE_TENANT={slug}, so that security.txt and /security name it.")
