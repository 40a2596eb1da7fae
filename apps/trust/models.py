"""What browsers report about our pages' policy, and the policy that is tried beside the one in force."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.tenants import clock
from apps.tenants.ids import new_id


class Disposition(models.TextChoices):
    ENFORCE = "enforce", _("in force: it was stopped")
    REPORT = "report", _("candidate: it was only reported")


class PolicyReport(models.Model):
    """One way in which a page broke a policy, however often; no address of a page, only its route."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    key = models.CharField(max_length=64, unique=True)
    policy = models.CharField(_("policy"), max_length=16)
    disposition = models.CharField(_("kind"), max_length=8, choices=Disposition.choices)
    page = models.CharField(_("page"), max_length=200)
    directive = models.CharField(_("directive"), max_length=40)
    blocked = models.CharField(_("what was blocked"), max_length=200)
    count = models.PositiveBigIntegerField(_("times"), default=1)
    first_at = models.DateTimeField(_("first"), default=clock.now)
    last_at = models.DateTimeField(_("last"), default=clock.now)

    class Meta:
        verbose_name = _("policy report")
        verbose_name_plural = _("policy reports")
        indexes = [models.Index(fields=["-last_at"], name="trust_policyreport_last")]

    def __str__(self) -> str:
        return f"{self.directive} {self.page}"


class CandidatePolicy(models.Model):
    """A policy on trial: what it says differently from the one in force. The newest that has not ended counts."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    changes = models.JSONField(_("differs in"))
    started_at = models.DateTimeField(_("started"), default=clock.now)
    ended_at = models.DateTimeField(_("ended"), null=True)

    class Meta:
        verbose_name = _("candidate policy")
        verbose_name_plural = _("candidate policies")

    def __str__(self) -> str:
        return "; ".join(f"{name} {' '.join(values)}".strip() for name, values in sorted(self.changes.items()))
