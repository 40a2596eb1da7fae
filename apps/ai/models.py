"""What a tenant may spend on AI, what is held, what was spent, and what was written for whom."""

from __future__ import annotations

from typing import ClassVar, Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Member
from apps.forms.models import Revision, Submission
from apps.tenants import clock
from apps.tenants.models import Access, TenantForeignKey, TenantManager, TenantModel, TenantQuerySet

from . import rules


class Allowance(TenantModel):
    """Whether the tenant has AI: the operator grants a ceiling a month, an owner switches it on and may cap it lower."""

    audit_type: ClassVar[str] = "ai_allowance"

    is_granted = models.BooleanField(_("granted"), default=False)
    ceiling = models.BigIntegerField(_("most a month, micro-units"), default=0)
    is_on = models.BooleanField(_("switched on by an owner"), default=False)
    cap = models.BigIntegerField(_("owner's own cap, micro-units"), null=True)
    changed_at = models.DateTimeField(default=clock.now)

    class Meta:
        verbose_name = _("AI allowance")
        constraints = [
            models.UniqueConstraint(fields=["tenant"], name="ai_allowance_one"),
            models.CheckConstraint(condition=Q(ceiling__gte=0), name="ai_allowance_ceiling"),
            models.CheckConstraint(condition=Q(cap__isnull=True) | Q(cap__gte=0), name="ai_allowance_cap"),
        ]

    @property
    def limit(self) -> int:
        return rules.limit_of(self.ceiling, self.cap)


class Budget(TenantModel):
    """One month: `spent` is the sum of its ledger, `held` of its open reservations. Nothing is held beyond `limit`."""

    audit_type: ClassVar[str] = "ai_budget"

    month = models.CharField(max_length=7)
    limit = models.BigIntegerField()
    spent = models.BigIntegerField(default=0)
    held = models.BigIntegerField(default=0)
    alerted = models.PositiveSmallIntegerField(default=0)

    class Meta:
        verbose_name = _("AI budget")
        constraints = [
            models.UniqueConstraint(fields=["tenant", "month"], name="ai_budget_month"),
            models.CheckConstraint(
                condition=Q(limit__gte=0) & Q(spent__gte=0) & Q(held__gte=0), name="ai_budget_not_negative"
            ),
        ]

    @property
    def taken(self) -> int:
        return self.spent + self.held

    @property
    def percent(self) -> int:
        return rules.percent(self.taken, self.limit)


class ReservationState(models.TextChoices):
    HELD = "held", _("held")
    SETTLED = "settled", _("settled")
    EXPIRED = "expired", _("expired")


class Reservation(TenantModel):
    """Money held for one attempt, with all that its ledger entry needs should nobody come back."""

    budget = TenantForeignKey(Budget, models.PROTECT, related_name="reservations")
    amount = models.BigIntegerField()
    state = models.CharField(max_length=8, choices=ReservationState.choices, default=ReservationState.HELD)
    about = models.JSONField()
    made_at = models.DateTimeField(default=clock.now)
    expires_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["tenant", "expires_at"], condition=Q(state="held"), name="ai_reservation_due")]


class UsageSource(models.TextChoices):
    PROVIDER = "provider", _("counted by the provider")
    ESTIMATED = "estimated", _("estimated: all that was held")
    NONE = "none", _("nothing was used")


class UsageEventQuerySet(TenantQuerySet["UsageEvent"]):
    def with_people(self) -> Self:
        return self.select_related("actor__user")


UsageEventManager = TenantManager.from_queryset(UsageEventQuerySet)


class UsageEvent(TenantModel):
    """One attempt at a model: who, what for, what came, what it cost. The app can add these and change none."""

    access: ClassVar[Access] = Access.APPEND
    audit_type: ClassVar[str] = "ai_event"

    budget = TenantForeignKey(Budget, models.PROTECT, related_name="events")
    reservation = TenantForeignKey(Reservation, models.PROTECT, related_name="events")
    at = models.DateTimeField(default=clock.now)
    actor = TenantForeignKey(Member, models.PROTECT, null=True, related_name="+")
    feature = models.CharField(max_length=40)
    object_type = models.CharField(max_length=40)
    object_id = models.UUIDField()
    host = models.CharField(max_length=253)
    requested_model = models.CharField(max_length=200)
    answered_model = models.CharField(max_length=200, blank=True)
    response_id = models.CharField(max_length=200, blank=True)
    attempt = models.PositiveSmallIntegerField()
    input_tokens = models.BigIntegerField(default=0)
    cache_read_tokens = models.BigIntegerField(default=0)
    cache_write_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    usage_source = models.CharField(max_length=10, choices=UsageSource.choices)
    price_version = models.CharField(max_length=100)
    reserved = models.BigIntegerField()
    settled = models.BigIntegerField()
    excess = models.BigIntegerField(default=0)
    latency_ms = models.PositiveIntegerField(null=True)
    outcome = models.CharField(max_length=20)
    finish_reason = models.CharField(max_length=40, blank=True)
    template_version = models.CharField(max_length=40)
    prompt_sha256 = models.CharField(max_length=64)
    redactions = models.JSONField(default=dict)
    request_id = models.CharField(max_length=64, blank=True)

    objects: ClassVar[UsageEventManager] = UsageEventManager()

    class Meta:
        verbose_name = _("AI call")
        indexes = [
            models.Index(fields=["tenant", "-at"], name="ai_event_at"),
            models.Index(fields=["tenant", "budget"], name="ai_event_budget"),
            models.Index(fields=["tenant", "object_id"], name="ai_event_object"),
        ]


class SummaryState(models.TextChoices):
    WAITING = "waiting", _("being written")
    DONE = "done", _("written")
    FAILED = "failed", _("not written")


class Summary(TenantModel):
    """A suggestion for those who decide on a submission: bound to one revision, advisory, and never a decision."""

    audit_type: ClassVar[str] = "ai_summary"

    submission = TenantForeignKey(Submission, models.PROTECT, related_name="+")
    revision = TenantForeignKey(Revision, models.PROTECT, related_name="+")
    sha256 = models.CharField(max_length=64)
    asked_by = TenantForeignKey(Member, models.PROTECT, related_name="+")
    asked_at = models.DateTimeField(default=clock.now)
    state = models.CharField(max_length=8, choices=SummaryState.choices, default=SummaryState.WAITING)
    failure = models.CharField(max_length=40, blank=True)
    text = models.JSONField(default=dict)
    model = models.CharField(max_length=200, blank=True)
    template_version = models.CharField(max_length=40, blank=True)
    was_cut = models.BooleanField(default=False)
    withheld = models.PositiveIntegerField(default=0)
    attempts = models.PositiveSmallIntegerField(default=0)
    event = TenantForeignKey(UsageEvent, models.PROTECT, null=True, related_name="+")
    finished_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("AI summary")
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "revision"], condition=~Q(state="failed"), name="ai_summary_one_a_revision"
            )
        ]

    @property
    def audit_label(self) -> str:
        return self.submission.reference


class Verdict(models.TextChoices):
    USED = "used", _("used")
    DISMISSED = "dismissed", _("dismissed")


class Reaction(TenantModel):
    """What one person did with a summary; the first answer stands."""

    access: ClassVar[Access] = Access.APPEND

    summary = TenantForeignKey(Summary, models.PROTECT, related_name="reactions")
    person = TenantForeignKey(Member, models.PROTECT, related_name="+")
    said = models.CharField(max_length=10, choices=Verdict.choices)
    at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "summary", "person"], name="ai_reaction_once")]
