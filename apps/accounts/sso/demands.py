"""What a tenant asks of a sign-in beyond membership: its own provider, a second factor. Asked at each request."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from apps.tenants import clock
from apps.tenants.context import TenantContext, as_system, current, tenant_context
from apps.tenants.freshness import SHOWN
from apps.tenants.models import Tenant
from apps.tenants.refusals import Forbidden, Refused

from .. import second_factor
from ..models import Member, User
from . import rules
from .finding import find
from .models import FactorTrust, SsoConnection, SsoDomain, SsoIdentity


class ProviderNeeded(Forbidden):
    code, title = "sso_required", _("This organisation signs in by its own provider")
    page: ClassVar[str] = "account/provider_needed.html"


class FactorNeeded(Forbidden):
    code, title = "second_factor", _("This organisation asks for a second factor")
    page: ClassVar[str] = "account/factor_needed.html"


def check(member: Member, *, amr: Iterable[str], limited_to: UUID | None) -> None:
    """Raise ProviderNeeded or FactorNeeded where this sign-in does not bring what the member's tenant asks for."""
    tenant = member.tenant
    if tenant.is_sso_only and limited_to != tenant.pk and must_use_provider(member, amr):
        raise _provider_needed(tenant)
    if factor_is_due(tenant) and not SHOWN & set(amr):
        raise FactorNeeded(
            _("%(name)s asks each member for a second factor, and this sign-in has none.") % {"name": tenant.name},
            tenant=tenant.slug,
            by_provider=limited_to is not None,
            has_factor=second_factor.is_set_up(member.user_id),
        )


def check_key(member: Member) -> None:
    """Raise FactorNeeded for a person's key while the tenant asks for a second factor and the person has none.

    A key shows no factor, it stands for somebody who could: by one of their own, or at a provider whose factor counts. A
    service account is nobody, and whoever made its key was asked for theirs.
    """
    if member.is_service or not factor_is_due(member.tenant) or second_factor.is_set_up(member.user_id):
        return
    with as_system(member.tenant.pk):
        trusted = SsoConnection.objects.active().exclude(factor_trust=FactorTrust.NEVER)
        if SsoIdentity.objects.filter(member=member, connection__in=trusted).exists():
            return
    text = _("%(name)s asks each member for a second factor, and whoever this key stands for has none.")
    raise FactorNeeded(text % {"name": member.tenant.name}, tenant=member.tenant.slug)


def must_use_provider(member: Member, amr: Iterable[str] = ()) -> bool:
    """Whether only the provider lets this member in; an owner kept for emergencies passes with a second factor."""
    if not member.tenant.is_sso_only or (member.is_for_emergencies and SHOWN & set(amr)):
        return False
    with as_system(member.tenant.pk):
        return SsoDomain.objects.verified().filter(domain=rules.domain_of(member.email)).exists()


def factor_is_due(tenant: Tenant) -> bool:
    """Whether the time to set one up is over."""
    return tenant.factor_required_from is not None and tenant.factor_required_from <= clock.now()


def only_provider_of(memberships: list[Member]) -> Member | None:
    """One of these where none of them can be got into without its provider: then a password would open nothing."""
    if memberships and all(must_use_provider(member, SHOWN) for member in memberships):
        return memberships[0]
    return None


def refuse_password(memberships: list[Member]) -> None:
    """Raise ProviderNeeded where a right password would open nothing; said only after the password was right."""
    if (member := only_provider_of(memberships)) is not None:
        raise _provider_needed(member.tenant)


def check_new_address(user: User, email: str) -> None:
    """Raise Refused where another address would lead around a provider, or into the reach of one.

    A member of a tenant that lets its people in by its provider alone would leave the provider's domain; and in a domain
    that a tenant has proven, only its provider says whose an address is. Of their own tenants all are asked, of those that
    shut them out too: they may be let in again.
    """
    with tenant_context(TenantContext(user=user.pk, request_id=current().request_id)):
        members = list(Member.memberships.select_related("tenant").filter(user_id=user.pk))
    for member in members:
        if member.tenant.is_sso_only:
            text = _("%(name)s signs its members in by its provider alone, so your address cannot change here.")
            raise Refused(text % {"name": member.tenant.name}, field="email", code="sso_only")
    domain = rules.domain_of(email)
    if find(domain=domain) or any(_has_proven(member.tenant.pk, domain) for member in members):
        text = _("An organisation signs in addresses of this domain by its own provider; choose another.")
        raise Refused(text, field="email", code="sso_domain")


def _has_proven(tenant: UUID, domain: str) -> bool:
    with as_system(tenant):
        return SsoDomain.objects.verified().filter(domain=domain).exists()


def _provider_needed(tenant: Tenant) -> ProviderNeeded:
    text = _("Members with your address get into %(name)s by its identity provider only.") % {"name": tenant.name}
    return ProviderNeeded(text, tenant=tenant.slug)
