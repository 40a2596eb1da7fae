"""Who has AI and for how much a month, and the switch of each provider."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.ai import actions
from apps.ai.models import Allowance, Budget
from apps.ai.provider import provider
from apps.ai.rules import month_of
from apps.ai.usage import dollars, micro
from apps.tenants import clock
from apps.tenants.context import TenantContext, as_system, tenant_context
from apps.tenants.models import Tenant
from apps.tenants.refusals import Invalid, Refused


class Command(BaseCommand):
    help = (
        "ai_budget show · ai_budget set acme 50 (dollars a month) · ai_budget off acme · ai_budget provider HOST on|off"
    )

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("what", choices=["show", "set", "off", "provider"])
        parser.add_argument("more", nargs="*")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self.stdout.write(getattr(self, f"_{options['what']}")(*options["more"]))
        except (Refused, Invalid) as refused:
            raise CommandError(str(refused)) from None
        except (TypeError, InvalidOperation):
            raise CommandError(self.help) from None

    def _show(self) -> str:
        found = provider()
        lines = [f"model: {found.model or 'none'} at {found.host or 'no host'}"]
        if found.fault:
            lines.append(f"FAULT: {found.fault}")
        elif found.price:
            lines.append(f"price: {found.price.version}, {found.price.input}/{found.price.output} a million tokens")
        with tenant_context(TenantContext(platform=True, credential="system")):
            months = {row.tenant_id: row for row in Budget.objects.filter(month=month_of(clock.now()))}
            for row in Allowance.objects.select_related("tenant").order_by("tenant__slug"):
                used = months[row.tenant_id].taken if row.tenant_id in months else 0
                word = "on" if row.is_granted and row.is_on else "granted, off" if row.is_granted else "not granted"
                lines.append(f"{row.tenant.slug}: {word}, {dollars(used)} of {dollars(row.limit)}")
        return "\n".join(lines)

    def _set(self, slug: str, amount: str) -> str:
        with as_system(_tenant(slug).pk):
            found = actions.grant(ceiling=micro(Decimal(amount)))
        return self.style.SUCCESS(f"{slug} may spend {dollars(found.limit)} a month; an owner switches it on.")

    def _off(self, slug: str) -> str:
        with as_system(_tenant(slug).pk):
            actions.grant(ceiling=None, is_granted=False)
        return self.style.SUCCESS(f"{slug} has no AI now.")

    def _provider(self, host: str, word: str) -> str:
        if word not in {"on", "off"}:
            raise TypeError(word)
        actions.switch_provider(host, is_on=word == "on")
        return self.style.SUCCESS(f"{host} is {word}; every process follows within 5 seconds.")


def _tenant(slug: str) -> Tenant:
    with tenant_context(TenantContext(platform=True, credential="system")):
        found = Tenant.objects.filter(slug=slug).first()
    if found is None:
        raise CommandError(f"There is no tenant {slug}.")
    return found
