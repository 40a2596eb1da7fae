"""Every variable, where its value comes from, and what is wrong."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

REQUIRED = (
    "ORKESTRA_SECRET_KEY",
    "ORKESTRA_SIGNING_KEY",
    "ORKESTRA_AUDIT_KEY",
    "DATABASE_URL",
    "DATABASE_PLATFORM_URL",
    "DATABASE_SEALER_URL",
    "REDIS_URL",
)
SHORTEST_KEY = 32


class Command(BaseCommand):
    help = "List every variable of the environment, its source and what is wrong with it; exits 1 if anything is."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        config, wrong = settings.CONFIG, []
        for variable in config.known.values():
            value, source = config.find(variable.name)
            shown = ("set" if value else "") if variable.secret else value
            problem = self._problem(variable.name, value)
            if problem:
                wrong.append(f"{variable.name}: {problem}")
            self.stdout.write(f"{variable.name:<28} {shown or '-':<32} {source:<44} {problem or variable.purpose}")
        if wrong:
            raise CommandError("\n".join(wrong))

    def _problem(self, name: str, value: str) -> str:
        if name == "DATABASE_PLATFORM_URL" and settings.SURFACE == "tenant":
            return ""
        if name in REQUIRED and not value:
            return "is not set"
        if name == "ORKESTRA_SECRET_KEY" and len(value) < SHORTEST_KEY:
            return f"is shorter than {SHORTEST_KEY} characters"
        if name == "ORKESTRA_PUBLIC_URL" and value and not value.startswith(("http://", "https://")):
            return "must start with https:// (or http:// on this machine only)"
        return ""
