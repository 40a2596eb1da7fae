"""Every variable, where its value comes from, and what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError
from redis import ConnectionPool

from apps.accounts.signing_keys import environment_key
from apps.ai.provider import own_price, provider
from apps.audit.keys import known_keys
from apps.operations.anchors import places
from apps.tenants.encryption import ring

REQUIRED = (
    "ORKESTRA_SECRET_KEY",
    "ORKESTRA_SIGNING_KEY",
    "ORKESTRA_AUDIT_KEY",
    "DATABASE_URL",
    "DATABASE_OWNER_URL",
    "DATABASE_PLATFORM_URL",
    "DATABASE_SEALER_URL",
    "DATABASE_BACKUP_URL",
    "REDIS_URL",
)
SHORTEST_KEY = 32
LOOPBACK = {"localhost", "127.0.0.1", "::1"}
Check = Callable[[str], str]  # a value -> what is wrong with it; may raise ImproperlyConfigured or ValueError


def read_by(reader: Callable[[], object]) -> Check:
    """As whoever uses it reads it."""

    def check(value: str) -> str:
        reader()
        return ""

    return check


def secret_key(value: str) -> str:
    return f"is shorter than {SHORTEST_KEY} characters" if len(value) < SHORTEST_KEY else ""


def public_url(value: str) -> str:
    parts = urlsplit(value)
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
    return "" if is_safe and parts.hostname else "must start with https:// (or http:// on this machine only)"


def debug(value: str) -> str:
    return "shows what went wrong to everybody; never in production" if settings.DEBUG else ""


def ai_price(value: str) -> str:
    return "" if own_price(value) else "is dollars a million tokens, in/out, such as 0.15/0.60"


def name_server(value: str) -> str:
    host, _colon, port = value.rpartition(":")
    return "" if host and port.isdigit() else "is written host:port"


def redis(value: str) -> str:
    ConnectionPool.from_url(value)
    return ""


CHECKS: dict[str, Check] = {
    "ORKESTRA_SECRET_KEY": secret_key,
    "ORKESTRA_PUBLIC_URL": public_url,
    "ORKESTRA_DEBUG": debug,
    "ORKESTRA_SIGNING_KEY": read_by(environment_key),
    "ORKESTRA_AUDIT_KEY": read_by(known_keys),
    "ORKESTRA_ENCRYPTION_KEY": read_by(ring),
    "ORKESTRA_AUDIT_ANCHORS": read_by(places),
    "ORKESTRA_DNS": name_server,
    "ORKESTRA_AI_URL": lambda value: provider().fault,
    "ORKESTRA_AI_PRICE": ai_price,
    "REDIS_URL": redis,
}


def printed_mails(value: str) -> str:
    is_printed = urlsplit(value).scheme == "console"
    return "warning: names no mail server, so mails are printed, links and all" if is_printed else ""


# A value -> what to think of before strangers come; it may be meant, so the command does not fail by it.
WARNINGS: dict[str, Check] = {"EMAIL_URL": printed_mails}


def warning(name: str, value: str) -> str:
    """What is not wrong with a variable, and seldom meant in production; empty where there is nothing."""
    return WARNINGS[name](value) if name in WARNINGS else ""


def problem(name: str, value: str) -> str:
    """What is wrong with a variable, never with its value in it where that is a secret; empty when nothing is."""
    if not value:
        is_needed = name in REQUIRED and not (name == "DATABASE_PLATFORM_URL" and settings.SURFACE == "tenant")
        return "is not set" if is_needed else ""
    try:
        return CHECKS[name](value) if name in CHECKS else ""
    except ImproperlyConfigured as wrong:
        return str(wrong)
    except ValueError:
        return "cannot be read"


class Command(BaseCommand):
    help = "List every variable of the environment, its source and what is wrong with it; exits 1 if anything is."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        config, wrong = settings.CONFIG, []
        for variable in config.known.values():
            value, source = config.find(variable.name)
            shown = ("set" if value else "") if variable.secret else value
            found = problem(variable.name, value)
            said = found or warning(variable.name, value) or variable.purpose
            if found:
                wrong.append(f"{variable.name}: {found}")
            self.stdout.write(f"{variable.name:<28} {shown or '-':<32} {source:<44} {said}")
        if wrong:
            raise CommandError("\n".join(wrong))
