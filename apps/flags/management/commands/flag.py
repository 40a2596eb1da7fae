"""Make and change feature flags."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.flags import actions
from apps.flags.models import Flag
from apps.flags.preview import flips
from apps.flags.rules import ALGORITHMS, BUCKETS
from apps.tenants.context import TenantContext, as_system, tenant_context
from apps.tenants.models import Tenant
from apps.tenants.refusals import Invalid, Refused

MOST_NAMED = 200
WORDS = {"on": True, "off": False, "clear": None}


class Command(BaseCommand):
    help = "flag create KEY 'what it switches' · flag percent KEY 25 [--dry-run] · flag kill KEY · flag revive KEY · flag tenant KEY acme on|off|clear"

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("what", choices=["create", "percent", "kill", "revive", "tenant"])
        parser.add_argument("key")
        parser.add_argument("more", nargs="*")
        parser.add_argument("--algo", choices=ALGORITHMS, default="flagd-3")
        parser.add_argument("--salt", default="")
        parser.add_argument("--dry-run", action="store_true", help="with percent: who would flip; changes nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["dry_run"] and options["what"] != "percent":
            raise CommandError("--dry-run goes with percent.")
        try:
            getattr(self, f"_{options['what']}")(options["key"], options["more"], options)
        except (Refused, Invalid) as refused:
            raise CommandError(str(refused)) from None
        except (IndexError, ValueError):
            raise CommandError(self.help) from None
        if not options["dry_run"]:
            self.stdout.write(self.style.SUCCESS(f"{options['key']}: done. Every process follows within 5 seconds."))

    def _create(self, key: str, more: list[str], options: dict[str, Any]) -> None:
        actions.create_flag(key=key, description=more[0], algo=options["algo"], salt=options["salt"])

    def _percent(self, key: str, more: list[str], options: dict[str, Any]) -> None:
        threshold = round(float(more[0]) * BUCKETS / 100)
        flag = Flag.objects.filter(key=key).first()
        if flag is None:
            raise Refused(f"There is no flag {key}.")
        found = flips(flag, threshold)
        for sign, slugs in (("+", found.on), ("-", found.off)):
            for slug in slugs[:MOST_NAMED]:
                self.stdout.write(f"{sign} {slug}")
            if len(slugs) > MOST_NAMED:
                self.stdout.write(f"{sign} and {len(slugs) - MOST_NAMED} more")
        self.stdout.write(f"{len(found.on)} on, {len(found.off)} off, {found.same} as before")
        if not options["dry_run"]:
            actions.change_flag(key, threshold=threshold)

    def _kill(self, key: str, more: list[str], options: dict[str, Any]) -> None:
        actions.change_flag(key, is_killed=True)

    def _revive(self, key: str, more: list[str], options: dict[str, Any]) -> None:
        actions.change_flag(key, is_killed=False)

    def _tenant(self, key: str, more: list[str], options: dict[str, Any]) -> None:
        slug, word = more
        if word not in WORDS:
            raise ValueError(word)
        with tenant_context(TenantContext(platform=True, credential="system")):
            tenant = Tenant.objects.filter(slug=slug).first()
        flag = Flag.objects.filter(key=key).first()
        if tenant is None or flag is None:
            raise Refused(f"There is no flag {key} or no tenant {slug}.")
        with as_system(tenant.pk):
            actions.set_override(flag, WORDS[word])
