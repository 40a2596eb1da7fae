"""A tenant's identity providers, the domains it has proven to own, and who is who at a provider."""

from __future__ import annotations

import secrets
from typing import ClassVar, Self

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.tenants import clock
from apps.tenants.encryption import unseal
from apps.tenants.models import TenantForeignKey, TenantManager, TenantModel, TenantQuerySet

from ..rules import Role

PURPOSE = "sso client secret"
MOST_MISSES = 3


class Kind(models.TextChoices):
    """Google has one address and says which Workspace a person is of; any other says where it is."""

    GOOGLE = "google", _("Google")
    OIDC = "oidc", _("OpenID Connect")


class FactorTrust(models.TextChoices):
    """What a second factor at the provider counts for here."""

    NEVER = "never", _("No: a second factor is asked for here")
    SAID = "said", _("Yes, where the provider says that one was shown (amr)")
    ALWAYS = "always", _("Yes: the provider demands one of everybody and need not say so")


class ConnectionQuerySet(TenantQuerySet["SsoConnection"]):
    def active(self) -> Self:
        """Those that people can sign in by."""
        return self.filter(removed_at=None)


ConnectionManager = TenantManager.from_queryset(ConnectionQuerySet)


def new_challenge() -> str:
    """What the tenant puts into its DNS to prove a domain."""
    return secrets.token_hex(20)


class SsoConnection(TenantModel):
    """One identity provider of a tenant. Its id is never used again: a removed one stays, and opens nothing."""

    audit_type: ClassVar[str] = "sso_connection"
    extra_policies: ClassVar[tuple[str, ...]] = ("by_address",)

    kind = models.CharField(max_length=8, choices=Kind.choices)
    name = models.CharField(_("name"), max_length=100)
    issuer = models.CharField(_("issuer"), max_length=500)
    client_id = models.CharField(_("client id"), max_length=255)
    client_secret = models.TextField()
    default_role = models.CharField(_("role of new members"), max_length=16, choices=Role.choices)
    factor_trust = models.CharField(max_length=8, choices=FactorTrust.choices, default=FactorTrust.NEVER)
    created_at = models.DateTimeField(_("added"), default=clock.now, editable=False)
    removed_at = models.DateTimeField(null=True)

    objects: ClassVar[ConnectionManager] = ConnectionManager()

    class Meta:
        verbose_name = _("identity provider")

    def __str__(self) -> str:
        return self.name

    @property
    def secret(self) -> str:
        """The client secret in the clear; empty for a client that has none."""
        return unseal(PURPOSE, self.client_secret)

    @property
    def is_active(self) -> bool:
        return self.removed_at is None


class DomainQuerySet(TenantQuerySet["SsoDomain"]):
    def verified(self) -> Self:
        """Those whose DNS was seen to say that they are the tenant's; what it demands of their addresses is in force."""
        return self.exclude(verified_at=None)

    def proven(self) -> Self:
        """Those whose DNS says so still, but for a look or two: only their addresses let somebody in who was not linked."""
        return self.verified().filter(misses__lt=MOST_MISSES)


DomainManager = TenantManager.from_queryset(DomainQuerySet)


class SsoDomain(TenantModel):
    """A mail domain that a tenant says is its own; `verified_at` is empty until its DNS says so too.

    `misses` counts looks in a row that did not find the record of a verified one, up to MOST_MISSES.
    """

    audit_type: ClassVar[str] = "sso_domain"
    extra_policies: ClassVar[tuple[str, ...]] = ("by_address",)

    domain = models.CharField(_("domain"), max_length=253)
    challenge = models.CharField(max_length=64, default=new_challenge, editable=False)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    checked_at = models.DateTimeField(null=True)
    verified_at = models.DateTimeField(null=True)
    misses = models.PositiveSmallIntegerField(default=0)

    objects: ClassVar[DomainManager] = DomainManager()

    class Meta:
        verbose_name = _("mail domain")
        constraints = [models.UniqueConstraint(fields=["tenant", "domain"], name="accounts_ssodomain_once")]

    def __str__(self) -> str:
        return self.domain

    @property
    def is_proven(self) -> bool:
        return self.verified_at is not None and self.misses < MOST_MISSES


class SsoIdentity(TenantModel):
    """A member is this subject at this provider. Made once, said in the audit log; e-mail plays no part afterwards."""

    audit_type: ClassVar[str] = "sso_identity"

    connection = TenantForeignKey(SsoConnection, models.PROTECT, related_name="identities")
    subject = models.CharField(max_length=255)
    member = TenantForeignKey("accounts.Member", models.CASCADE, related_name="sso_identities")
    linked_at = models.DateTimeField(default=clock.now, editable=False)
    last_used_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("identity at a provider")
        constraints = [
            models.UniqueConstraint(fields=["tenant", "connection", "subject"], name="accounts_ssoidentity_subject"),
            models.UniqueConstraint(fields=["tenant", "connection", "member"], name="accounts_ssoidentity_member"),
        ]
