"""What the environment may say, in one typed table; everything else in the settings follows from it.

A variable's value comes from, in this order: the process environment, the file that `<NAME>_FILE` names, the file
`run/environment` below ORKESTRA_HOME that the supervisor writes, and the default. Empty means not given.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured


@dataclass(frozen=True)
class Variable:
    """One environment variable: what it is for, and what holds when it is not set."""

    name: str
    purpose: str
    default: str = ""
    secret: bool = False


VARIABLES: tuple[Variable, ...] = (
    Variable("ORKESTRA_HOME", "folder of data, files, logs and secrets"),
    Variable("ORKESTRA_PORT", "port of the web server", "8000"),
    Variable("ORKESTRA_LISTEN", "address on which the web server listens", "127.0.0.1"),
    Variable("ORKESTRA_METRICS_PORT", "port of the metrics; one above ORKESTRA_PORT if not given, 0 for none"),
    Variable(
        "ORKESTRA_METRICS_TOKEN",
        "asked of whoever reads the metrics; they leave this machine only with it",
        secret=True,
    ),
    Variable("ORKESTRA_PUBLIC_URL", "address people use in their browser"),
    Variable("ORKESTRA_DEBUG", "1 shows tracebacks; never in production", "0"),
    Variable("ORKESTRA_SECRET_KEY", "Django's key for sessions and reset links", secret=True),
    Variable("ORKESTRA_SECRET_KEY_OLD", "earlier secret keys, by spaces: what they sealed stays readable", secret=True),
    Variable("ORKESTRA_SIGNING_KEY", "Ed25519 private key (PEM) that signs access tokens", secret=True),
    Variable(
        "ORKESTRA_AUDIT_KEY",
        "Ed25519 private key (PEM) that signs audit checkpoints; older ones may follow",
        secret=True,
    ),
    Variable(
        "ORKESTRA_ENCRYPTION_KEY", "keys of stored secrets, newest first; else one of the secret key", secret=True
    ),
    Variable("ORKESTRA_DNS", "name server that proves mail domains, host:port; else the system's"),
    Variable("ORKESTRA_AUDIT_ANCHORS", "where heads of the logs are kept: file:///path s3://bucket/prefix?days=365"),
    Variable("ORKESTRA_AUDIT_ANCHOR_MAIL", "1 mails each owner the signed head of their log, once a day", "1"),
    Variable("ORKESTRA_SECURITY_CONTACT", "address in security.txt", "security@orkestra.ai"),
    Variable("ORKESTRA_DISCLOSURE_TENANT", "tenant whose public form takes vulnerability reports", "orkestra"),
    Variable("ORKESTRA_TRUSTED_PROXIES", "how many proxies stand in front", "0"),
    Variable("DATABASE_URL", "PostgreSQL as orkestra_app: web and worker", secret=True),
    Variable("DATABASE_OWNER_URL", "PostgreSQL as orkestra_owner: migrations only", secret=True),
    Variable("DATABASE_PLATFORM_URL", "PostgreSQL as orkestra_platform: Super Admins", secret=True),
    Variable("DATABASE_SEALER_URL", "PostgreSQL as orkestra_sealer: audit seals", secret=True),
    Variable("DATABASE_BACKUP_URL", "PostgreSQL as orkestra_backup: reads everything, writes nothing", secret=True),
    Variable("DATABASE_DIRECT_URL", "as DATABASE_URL but past a pooler, for LISTEN", secret=True),
    Variable("ORKESTRA_SURFACE", "what this process serves: tenant, platform or all", "all"),
    Variable(
        "ORKESTRA_SIGN_UP", "open lets anybody make an organisation; else closed, but for the demo, which is open"
    ),
    Variable("ORKESTRA_DEMO", "0 seeds no demo; else the first start of scripts/up does, in a database of its own"),
    Variable("ORKESTRA_DEMO_PASSWORD", "password of the demo's people; random if not given", secret=True),
    Variable("ORKESTRA_BIND_MODE", "how the tenant is bound: statement or transaction", "statement"),
    Variable("REDIS_URL", "Redis or Valkey for the cache", secret=True),
    Variable("EMAIL_URL", "console: or smtp://user:password@host:port?tls=1", "console:", secret=True),
    Variable("ORKESTRA_COMMS_WEBHOOK_SECRETS", "channel=whsec_…, by spaces; two of one channel to rotate", secret=True),
    Variable("ORKESTRA_STRIPE_WEBHOOK_SECRETS", "Stripe's whsec_… by spaces; two to rotate", secret=True),
    Variable("ORKESTRA_STRIPE_KEY", "Stripe's secret or restricted key; without it plans are set by hand", secret=True),
    Variable("ORKESTRA_STRIPE_PRICES", "plan=price_…, by spaces; several of one plan are allowed"),
    Variable("ORKESTRA_EGRESS_LOOPBACK", "1 lets webhooks call http on this very machine; development only", "0"),
    Variable("ORKESTRA_MAIL_FROM", "sender of our mails", "Orkestra <no-reply@localhost>"),
    Variable("ORKESTRA_AI_URL", "an OpenAI-compatible address, such as https://api.openai.com/v1; none is AI off"),
    Variable("ORKESTRA_AI_KEY", "key of that provider; a model of your own may need none", secret=True),
    Variable("ORKESTRA_AI_MODEL", "name of the model to ask"),
    Variable("ORKESTRA_AI_PRICE", "dollars a million tokens, in/out, such as 0.15/0.60; 0 for a model of your own"),
    Variable("ORKESTRA_AI_KILLED", "1 stops every call to a model, for everybody", "0"),
)


def default_home() -> Path:
    """~/.orkestra, or /var/lib/orkestra for root."""
    return Path("/var/lib/orkestra") if os.geteuid() == 0 else Path.home() / ".orkestra"


class Config:
    """Reads the table above; `source` tells where a value came from, so that an operator can find a wrong one."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = environment
        self.home = Path(environment.get("ORKESTRA_HOME") or default_home()).expanduser()
        self.known = {variable.name: variable for variable in VARIABLES}

    @cached_property
    def written(self) -> dict[str, str]:
        """What the supervisor wrote for commands that are started by hand; web and worker get theirs from it directly."""
        if self.environment.get("ORKESTRA_SUPERVISED"):
            return {}
        try:
            lines = (self.home / "run" / "environment").read_text(encoding="utf-8").splitlines()
        except OSError:
            return {}
        return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))

    def find(self, name: str) -> tuple[str, str]:
        """(value, source) of a variable of the table; KeyError for a name that is not in it."""
        variable = self.known[name]
        if value := self.environment.get(name):
            return value, "environment"
        for place, origin in ((self.environment, "environment"), (self.written, "home")):
            if path := place.get(f"{name}_FILE"):
                return _read_secret(name, Path(path)), f"{origin}, file {path}"
        if value := self.written.get(name):
            return value, f"{self.home}/run/environment"
        return variable.default, "default"

    def path(self, name: str) -> str:
        """The file that a variable's value comes from; empty where it stands in the environment itself."""
        if self.environment.get(name):
            return ""
        return self.environment.get(f"{name}_FILE") or self.written.get(f"{name}_FILE") or ""

    def text(self, name: str) -> str:
        return self.find(name)[0]

    def number(self, name: str) -> int:
        value = self.text(name)
        try:
            return int(value)
        except ValueError:
            raise ImproperlyConfigured(f"{name} must be a whole number, not {value!r}.") from None

    @property
    def surface(self) -> str:
        """tenant, platform or all. A process that serves tenants only holds nothing that reads across them."""
        found = self.text("ORKESTRA_SURFACE")
        if found not in {"tenant", "platform", "all"}:
            raise ImproperlyConfigured("ORKESTRA_SURFACE is tenant, platform or all.")
        return found

    def sign_up_is_open(self, *, demo: bool) -> bool:
        """Whether anybody may make an organisation here. Not on the platform's surface, which serves no tenants."""
        found = self.text("ORKESTRA_SIGN_UP") or ("open" if demo else "closed")
        if found not in {"open", "closed"}:
            raise ImproperlyConfigured("ORKESTRA_SIGN_UP is open or closed.")
        return found == "open" and self.surface != "platform"

    def switch(self, name: str) -> bool:
        return self.text(name).strip().lower() in {"1", "true", "yes", "on"}

    @property
    def metrics_port(self) -> int:
        """Where metrics are served: one above the web's unless ORKESTRA_METRICS_PORT names another; 0 for nowhere."""
        given = self.text("ORKESTRA_METRICS_PORT")
        return self.number("ORKESTRA_METRICS_PORT") if given else self.number("ORKESTRA_PORT") + 1


def pairs(name: str, text: str) -> dict[str, list[str]]:
    """`a=1 b=2 a=3` as {a: [1, 3], b: [2]}, in order. Raises ImproperlyConfigured."""
    found: dict[str, list[str]] = {}
    for part in text.split():
        key, equals, value = part.partition("=")
        if not (key and equals and value):
            raise ImproperlyConfigured(f"{name} is written name=value, by spaces; one part of it is not.")
        found.setdefault(key, []).append(value)
    return found


def _read_secret(name: str, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ImproperlyConfigured(f"{name}_FILE names {path}, which cannot be read: {error.strerror}.") from error
