"""Shorthand of the tests of single sign-on: a company's provider, its domain, and somebody who comes by it."""

from __future__ import annotations

from typing import Any

from apps.accounts.models import Member
from apps.accounts.sso import actions
from apps.accounts.sso.models import SsoConnection, SsoDomain
from apps.audit.models import Entry
from apps.tenants import clock
from apps.tenants.context import as_system

from .cast import Company, acting_as
from .identity_provider import CLIENT, SECRET, Provider


def connect(company: Company, idp: Provider, **more: Any) -> SsoConnection:
    """Add the provider to the company as its owner would."""
    asked = {
        "kind": "oidc",
        "name": f"{company.slug} login",
        "issuer": idp.issuer,
        "client_id": CLIENT,
        "client_secret": SECRET,
        "default_role": "viewer",
        "factor_trust": "never",
    }
    with acting_as(company.owner):
        return actions.add_connection(by=company.owner, **(asked | more))


def prove(company: Company, domain: str = "") -> SsoDomain:
    """A domain that counts as proven; test_sso_domains proves one for real."""
    with acting_as(company.owner):
        made = actions.add_domain(domain=domain or mail_domain(company), by=company.owner)
        SsoDomain.objects.filter(pk=made.pk).update(verified_at=clock.now())
    return made


def mail_domain(company: Company) -> str:
    """The domain of the cast's addresses."""
    return f"{company.slug}.example"


def leave(client: Any, connection: SsoConnection, query: str = "") -> str:
    """Start in this browser; the address at the provider to which it is sent."""
    answer = client.get(f"/account/sso/{connection.pk}/{query}")
    assert answer.status_code == 302, answer.content.decode()[-2000:]
    return str(answer["Location"])


def come(client: Any, connection: SsoConnection, idp: Provider, subject: str, **claims: Any) -> Any:
    """Go to the provider and come back as this subject; the answer to the callback."""
    query = claims.pop("query", "")
    return client.get(idp.agrees(leave(client, connection, query), subject, **claims))


def known_as(member: Member, **more: Any) -> dict[str, Any]:
    """What an honest provider says of a member."""
    return {"email": member.email, "email_verified": True, "name": member.name, **more}


def acts(company: Company, action: str) -> list[Entry]:
    """The entries of one action in the company's log, oldest first."""
    with as_system(company.id):
        return list(Entry.objects.filter(action=action).order_by("time"))
