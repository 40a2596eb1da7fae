"""Switches for all tenants, and what one tenant has differently."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.tenants import clock
from apps.tenants.ids import new_id
from apps.tenants.models import TenantModel

from .rules import ALGORITHMS, BUCKETS, Rule


class Flag(models.Model):
    """A switch. Key, algorithm and salt never change (a trigger holds that), or cohorts would jump."""

    audit_type: ClassVar[str] = "flag"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    key = models.CharField(_("key"), max_length=100, unique=True)
    description = models.CharField(_("what it switches"), max_length=300)
    algo = models.CharField(_("algorithm"), max_length=20, choices=[(name, name) for name in ALGORITHMS])
    salt = models.CharField(_("salt"), max_length=100)
    threshold = models.PositiveIntegerField(_("threshold"), default=0, help_text=_("buckets of 100,000 that are on"))
    is_killed = models.BooleanField(_("killed"), default=False)
    version = models.PositiveIntegerField(_("version"), default=1)
    changed_at = models.DateTimeField(_("changed"), default=clock.now)

    class Meta:
        verbose_name = _("flag")
        verbose_name_plural = _("flags")
        ordering = ["key"]
        constraints = [models.CheckConstraint(condition=models.Q(threshold__lte=BUCKETS), name="flags_flag_threshold")]

    def __str__(self) -> str:
        return self.key

    @property
    def audit_label(self) -> str:
        return self.key

    @property
    def percent(self) -> float:
        return self.threshold * 100 / BUCKETS

    @property
    def rule(self) -> Rule:
        return Rule(self.key, self.algo, self.salt, self.threshold, self.is_killed, self.version)


class FlagOverride(TenantModel):
    """On or off for one tenant, whatever the cohort says; only a kill stands above it."""

    audit_type: ClassVar[str] = "flag_override"

    flag = models.ForeignKey(Flag, models.PROTECT, related_name="+")
    is_on = models.BooleanField(_("on"))
    set_at = models.DateTimeField(default=clock.now)

    class Meta:
        verbose_name = _("override")
        constraints = [models.UniqueConstraint(fields=["tenant", "flag"], name="flags_override_one")]
