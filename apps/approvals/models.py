"""Paths and their frozen versions; cases, steps, and who was asked and what they said."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, Self
from uuid import UUID

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Member
from apps.tenants import clock
from apps.tenants.fields import OrderedJSON
from apps.tenants.models import Access, TenantForeignKey, TenantManager, TenantModel, TenantQuerySet

from .rules.definition import Step, read_path


class CaseState(models.TextChoices):
    IN_REVIEW = "in_review", _("in review")
    CHANGES_REQUESTED = "changes_requested", _("changes requested")
    APPROVED = "approved", _("approved")
    REJECTED = "rejected", _("rejected")
    WITHDRAWN = "withdrawn", _("withdrawn")


class StepState(models.TextChoices):
    OPEN = "open", _("being decided")
    APPROVED = "approved", _("approved")
    REJECTED = "rejected", _("rejected")
    SENT_BACK = "sent_back", _("sent back")
    SKIPPED = "skipped", _("not needed")
    CLOSED = "closed", _("closed without a decision")
    STUCK = "stuck", _("cannot go on")


class AssignmentState(models.TextChoices):
    OPEN = "open", _("open")
    DECIDED = "decided", _("decided")
    CLOSED = "closed", _("closed")


class Verdict(models.TextChoices):
    APPROVE = "approve", _("approve")
    REJECT = "reject", _("reject")
    SEND_BACK = "send_back", _("send back")


class Path(TenantModel):
    """An approval path; cases always run on one of its frozen versions."""

    audit_type: ClassVar[str] = "path"

    title = models.CharField(max_length=200)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    @property
    def audit_label(self) -> str:
        return self.title


class PathVersion(TenantModel):
    """A path as it was published; the app's role can add versions and change none."""

    access: ClassVar[Access] = Access.APPEND

    path = TenantForeignKey(Path, models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    definition = OrderedJSON()
    sha256 = models.CharField(max_length=64)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "path", "number"], name="approvals_path_version")]

    @property
    def steps(self) -> tuple[Step, ...]:
        return read_path(self.definition)


class Case(TenantModel):
    """One run of a path over a subject that the engine knows only by id, revision, hash and facts.

    Without a requester it came from outside; `contact`, where there is one, is then told at each step.
    """

    audit_type: ClassVar[str] = "submission"

    subject_id = models.UUIDField()
    subject_revision = models.UUIDField()
    subject_sha256 = models.CharField(max_length=64)
    collection_id = models.UUIDField()
    title = models.CharField(max_length=200)
    reference = models.CharField(max_length=40)
    facts = models.JSONField()
    path_version = TenantForeignKey(PathVersion, models.PROTECT, related_name="+")
    requester = TenantForeignKey(Member, models.PROTECT, null=True, related_name="+")
    contact = models.EmailField(blank=True)
    state = models.CharField(max_length=24, choices=CaseState.choices, default=CaseState.IN_REVIEW)
    round = models.PositiveSmallIntegerField(default=1)
    opened_at = models.DateTimeField(default=clock.now)
    closed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "subject_id"], name="approvals_case_subject")]
        indexes = [models.Index(fields=["tenant", "state", "opened_at"], name="approvals_case_state")]

    @property
    def audit_label(self) -> str:
        return self.reference

    @property
    def sender(self) -> Any:
        """Who it is from, in words."""
        return self.requester.name if self.requester else _("the public form")


class CaseStep(TenantModel):
    """A step of a case in one round; the row that a decision locks."""

    audit_type: ClassVar[str] = "step"

    case = TenantForeignKey(Case, models.CASCADE, related_name="steps")
    key = models.CharField(max_length=40)
    name = models.CharField(max_length=200)
    group = models.CharField(max_length=200)
    order = models.PositiveSmallIntegerField()
    round = models.PositiveSmallIntegerField(default=1)
    state = models.CharField(max_length=16, choices=StepState.choices, default=StepState.OPEN)
    quorum = models.JSONField()
    eligible_count = models.PositiveIntegerField(default=0)
    reason = models.CharField(max_length=300, blank=True)
    opened_at = models.DateTimeField(default=clock.now)
    due_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "case", "round", "key"], name="approvals_step_once")]

    @property
    def audit_label(self) -> str:
        return self.key


class AssignmentQuerySet(TenantQuerySet["Assignment"]):
    def of(self, member: Member) -> Self:
        """What this member was ever asked."""
        return self.filter(person_id=member.pk)

    def waiting(self) -> Self:
        """What waits for an answer, the oldest first."""
        return self.filter(state=AssignmentState.OPEN).order_by("step__opened_at", "id")

    def with_case(self) -> Self:
        return self.select_related("step", "step__case", "step__case__requester__user", "person__user")


AssignmentManager = TenantManager.from_queryset(AssignmentQuerySet)


class Assignment(TenantModel):
    """One person is asked to decide on one step."""

    audit_type: ClassVar[str] = "assignment"

    step = TenantForeignKey(CaseStep, models.CASCADE, related_name="assignments")
    person = TenantForeignKey(Member, models.PROTECT, related_name="assignments")
    state = models.CharField(max_length=16, choices=AssignmentState.choices, default=AssignmentState.OPEN)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    objects: ClassVar[AssignmentManager] = AssignmentManager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "step", "person"], name="approvals_asked_once")]
        indexes = [models.Index(fields=["tenant", "person", "state"], name="approvals_assignment_person")]


class Decision(TenantModel):
    """What one person said, about exactly the revision they saw; nobody can change it afterwards."""

    access: ClassVar[Access] = Access.APPEND
    audit_type: ClassVar[str] = "decision"

    step = TenantForeignKey(CaseStep, models.PROTECT, related_name="decisions")
    assignment = TenantForeignKey(Assignment, models.PROTECT, related_name="decisions")
    person = TenantForeignKey(Member, models.PROTECT, related_name="decisions")
    verdict = models.CharField(max_length=16, choices=Verdict.choices)
    reason = models.TextField(blank=True)
    revision = models.UUIDField()
    subject_sha256 = models.CharField(max_length=64)
    decided_at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "step", "person"], name="approvals_decided_once")]


def deciders_of(case: Case, keys: Iterable[str]) -> set[UUID]:
    """Who decided on these steps in the round that runs."""
    rows = Decision.objects.filter(step__case_id=case.pk, step__round=case.round, step__key__in=list(keys))
    return set(rows.values_list("person_id", flat=True))


def asked_about(member: Member) -> models.QuerySet[Any]:
    """Ids of the subjects that this member was asked to decide on."""
    rows: models.QuerySet[Any] = Assignment.objects.of(member).values("step__case__subject_id")
    return rows


def case_of(subject: UUID) -> Case | None:
    """The case over a subject, if it was ever sent."""
    return Case.objects.filter(subject_id=subject).first()
