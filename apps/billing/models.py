"""Plans as data, what a tenant has bought, and how much it uses."""

from __future__ import annotations

from typing import Any, ClassVar

from django.core.validators import MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.tenants import clock
from apps.tenants.ids import new_id
from apps.tenants.models import Access, TenantModel

from .rules import Resource, is_over


class Plan(models.Model):
    """One version of a plan that can be bought. A version is never changed: a new one takes its place."""

    audit_type: ClassVar[str] = "plan"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    key = models.SlugField(_("key"), max_length=40)
    version = models.PositiveIntegerField(_("version"), default=1)
    name = models.CharField(_("name"), max_length=100)
    order = models.PositiveSmallIntegerField(default=0)
    limits = models.JSONField(_("limits"), help_text=_("resource -> most; a resource that is missing has no limit"))
    log_retention_days = models.PositiveIntegerField(
        _("days that bodies of audit entries are kept"), null=True, validators=[MinValueValidator(30)]
    )  # None: for ever
    is_offered = models.BooleanField(_("offered"), default=True)

    class Meta:
        verbose_name = _("plan")
        verbose_name_plural = _("plans")
        ordering = ["order", "-version"]
        constraints = [models.UniqueConstraint(fields=["key", "version"], name="billing_plan_version")]

    def __str__(self) -> str:
        return f"{self.name} (version {self.version})"

    def limit(self, resource: Resource) -> int | None:
        """The most of a resource; None is no limit."""
        found: dict[str, Any] = self.limits
        return found.get(resource.value)


class Subscription(TenantModel):
    """What the tenant has: a plan, perhaps a trial's end, perhaps limits of its own."""

    audit_type: ClassVar[str] = "subscription"

    plan = models.ForeignKey(Plan, models.PROTECT, related_name="+")
    trial_ends_at = models.DateTimeField(null=True)
    overrides = models.JSONField(default=dict)
    started_at = models.DateTimeField(default=clock.now, editable=False)
    stripe_customer = models.CharField(_("Stripe customer"), max_length=100, blank=True)
    stripe_status = models.CharField(_("at Stripe"), max_length=40, blank=True)
    stripe_seen_at = models.DateTimeField(_("compared with Stripe"), null=True)

    class Meta:
        verbose_name = _("subscription")
        constraints = [models.UniqueConstraint(fields=["tenant"], name="billing_subscription_one")]

    @property
    def trial_is_over(self) -> bool:
        return is_over(self.trial_ends_at, clock.now())


class Limit(TenantModel):
    """The effective limit of one resource, as the database compares it; written from plan and overrides only."""

    resource = models.CharField(max_length=40)
    most = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "resource"], name="billing_limit_one")]


class Counter(TenantModel):
    """How much is used. Only the triggers of the counted tables write it; the app can but read."""

    access: ClassVar[Access] = Access.READ

    resource = models.CharField(max_length=40)
    period = models.CharField(max_length=7, blank=True)
    used = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "resource", "period"], name="billing_counter_one"),
            models.CheckConstraint(condition=models.Q(used__gte=0), name="billing_counter_not_negative"),
        ]
