"""Whether a domain's DNS says what we asked its owner to put there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings

if TYPE_CHECKING:
    import dns.resolver

NAME = "_orkestra"
PREFIX = "orkestra-verification="
SECONDS = 4.0


def place(domain: str) -> str:
    """Where the record belongs."""
    return f"{NAME}.{domain}"


def proof(challenge: str) -> str:
    """What the record says."""
    return f"{PREFIX}{challenge}"


def has_text(name: str, text: str) -> bool | None:
    """Whether a TXT record of this name is exactly this text; None where DNS gave no answer in time."""
    import dns.exception  # here, since it loads a crypto and a web library of its own, and few processes ask
    import dns.resolver

    resolver = _resolver()
    try:
        answer = resolver.resolve(name + ".", "TXT", lifetime=SECONDS, search=False)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return False
    except dns.exception.DNSException:
        return None
    return any(b"".join(row.strings) == text.encode() for row in answer)


def _resolver() -> dns.resolver.Resolver:
    """The system's name servers, or the one that ORKESTRA_DNS names as host:port."""
    import dns.resolver

    if not settings.DNS_SERVER:
        return dns.resolver.Resolver()
    host, _colon, port = settings.DNS_SERVER.rpartition(":")
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = [host], int(port)
    return resolver
