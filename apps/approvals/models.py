"""Paths and their frozen versions; cases, steps, and who was asked and what they said."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, ClassVar, Self
from uuid import UUID

from django.db import models
from django.db.models import Exists, OuterRef, Q, Value
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Member
from apps.accounts.rules import MATRIX
from apps.tenants import clock
from apps.tenants.fields import IsAnyOf, OrderedJSON
from apps.tenants.models import Access, TenantForeignKey, TenantManager, TenantModel, TenantQuerySet

from .rules.definition import Step, read_path

DECIDING_ROLES = tuple(role for role, held in MATRIX.items() if "tasks.decide" in held)


def who_decide() -> Any:
    """Active people whose role decides."""
    return Member.objects.people().filter(role__in=DECIDING_ROLES)


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


class CaseStepQuerySet(TenantQuerySet["CaseStep"]):
    def stuck(self) -> Self:
        """Steps that stand still because nobody may decide them, with their cases."""
        rows = self.filter(state=StepState.STUCK, case__state=CaseState.IN_REVIEW)
        return rows.select_related("case__requester__user", "case__path_version")


CaseStepManager = TenantManager.from_queryset(CaseStepQuerySet)


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

    objects: ClassVar[CaseStepManager] = CaseStepManager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "case", "round", "key"], name="approvals_step_once")]

    @property
    def audit_label(self) -> str:
        return self.key

    @property
    def definition(self) -> Step:
        """What its path says of it."""
        return next(step for step in self.case.path_version.steps if step.key == self.key)


class DelegationQuerySet(TenantQuerySet["Delegation"]):
    def in_period(self) -> Self:
        """Begun, and neither over nor ended; whether both decide here still is not asked."""
        now = clock.now()
        return self.filter(starts_at__lte=now, ends_at__gt=now, ended_at=None)

    def running(self) -> Self:
        """In force at this moment: in its period, between two who decide here."""
        return self.in_period().filter(person__in=who_decide(), stand_in__in=who_decide())

    def covered_by(self, member: Any) -> Self:
        """In force, with this member as the stand-in; mostly there is none, which a small question tells at once."""
        rows = self.filter(stand_in=member)
        return rows.running() if rows.in_period().exists() else rows.none()

    def alive(self) -> Self:
        """In force, or still to come."""
        return self.filter(ended_at=None, ends_at__gt=clock.now())

    def over(self) -> Self:
        """Ended or run out, the newest first."""
        return self.filter(Q(ended_at__isnull=False) | Q(ends_at__lte=clock.now())).order_by("-starts_at", "-id")

    def concerning(self, member: Member) -> Self:
        """From this member and for them."""
        return self.filter(Q(person=member) | Q(stand_in=member))

    def visible_to(self, member: Member, *, everything: bool) -> Self:
        """One's own, from both sides; all, for whom looks after members."""
        return self if everything else self.concerning(member)

    def with_people(self) -> Self:
        return self.select_related("person__user", "stand_in__user", "created_by__user")


DelegationManager = TenantManager.from_queryset(DelegationQuerySet)


class Delegation(TenantModel):
    """`stand_in` may decide in the place of `person` from `starts_at` until before `ends_at`, or until it was ended."""

    audit_type: ClassVar[str] = "delegation"

    person = TenantForeignKey(Member, models.PROTECT, related_name="+")
    stand_in = TenantForeignKey(Member, models.PROTECT, related_name="+")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    note = models.CharField(max_length=300, blank=True)
    created_by = TenantForeignKey(Member, models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=clock.now, editable=False)
    ended_at = models.DateTimeField(null=True)

    objects: ClassVar[DelegationManager] = DelegationManager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at__gt=models.F("starts_at")) & ~Q(person=models.F("stand_in")),
                name="approvals_delegation_period",
            )
        ]
        indexes = [
            models.Index(fields=["tenant", "stand_in", "ends_at"], name="approvals_delegation_to"),
            models.Index(fields=["tenant", "person", "ends_at"], name="approvals_delegation_from"),
        ]

    @property
    def is_over(self) -> bool:
        return self.ended_at is not None or self.ends_at <= clock.now()

    @property
    def is_running(self) -> bool:
        return not self.is_over and self.starts_at <= clock.now()

    @property
    def last(self) -> datetime:
        """The last second that it covers, as a person says it: 23:59 and not the midnight after."""
        return self.ends_at - timedelta(seconds=1)


class AssignmentQuerySet(TenantQuerySet["Assignment"]):
    def of(self, member: Member) -> Self:
        """What this member was ever asked."""
        return self.filter(person_id=member.pk)

    def covered_by(self, member: Member) -> Self:
        """What others are asked for whom the member stands in now; not of steps that had closed before that began."""
        running = Delegation.objects.covered_by(member)
        before = Coalesce(OuterRef("step__closed_at"), Value(clock.now()))
        began = running.filter(person=OuterRef("person"), starts_at__lte=before)
        return self.filter(IsAnyOf("person_id", running.values("person_id"))).filter(Exists(began))

    def decided_for_others(self, member: Member) -> Self:
        """What the member has decided in somebody else's place."""
        return self.filter(IsAnyOf("pk", Decision.objects.for_others(member).values("assignment_id")))

    def done_with(self, member: Member) -> Self:
        """What was decided with the member's voice, by whomever, and by the member with another's; the newest first."""
        others = Decision.objects.for_others(member).values("assignment_id")
        rows = self.filter(Q(person=member, state=AssignmentState.DECIDED) | Q(IsAnyOf("pk", others)))
        return rows.order_by("-step__opened_at", "-pk")

    def seen_by(self, member: Member) -> Self:
        """What the member may read: what they were asked, what they decided, and what they stand in for."""
        found = [
            rows.values("pk") for rows in (self.of(member), self.covered_by(member), self.decided_for_others(member))
        ]
        return self.filter(pk__in=found[0].union(*found[1:]))

    def waiting_for(self, member: UUID) -> Self:
        """What the member may decide now, for themselves and, by the rule of `may_take`, for others; the oldest first."""
        covered = list(Delegation.objects.covered_by(member).values_list("person_id", flat=True))
        if not covered:
            return self.waiting().filter(person=member)
        in_case = Decision.objects.filter(
            step__case=OuterRef("step__case"), step__round=OuterRef("step__case__round"), person=member
        )
        barred = Exists(Assignment.objects.filter(step=OuterRef("step"), person=member)) | Exists(
            in_case.filter(Q(on_behalf_of=None) | ~Q(on_behalf_of=OuterRef("person")))
        )
        sent = Q(step__case__requester=member) | Q(step__case__requester=models.F("person"))
        rows = self.waiting().filter(person__in=[member, *covered])
        return rows.filter(Q(person=member) | (~barred & ~Q(sent, step__case__requester__isnull=False)))

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


class DecisionQuerySet(TenantQuerySet["Decision"]):
    def for_others(self, member: Member) -> Self:
        """What the member said in somebody else's place."""
        return self.filter(person=member, on_behalf_of__isnull=False)


DecisionManager = TenantManager.from_queryset(DecisionQuerySet)


class Decision(TenantModel):
    """What one person said, about exactly the revision they saw; nobody can change it afterwards.

    `on_behalf_of` is whose voice it was, where that was not their own; no voice speaks twice in a step, and no person.
    """

    access: ClassVar[Access] = Access.APPEND
    audit_type: ClassVar[str] = "decision"

    step = TenantForeignKey(CaseStep, models.PROTECT, related_name="decisions")
    assignment = TenantForeignKey(Assignment, models.PROTECT, related_name="decisions")
    person = TenantForeignKey(Member, models.PROTECT, related_name="decisions")
    on_behalf_of = TenantForeignKey(Member, models.PROTECT, null=True, related_name="+")
    verdict = models.CharField(max_length=16, choices=Verdict.choices)
    reason = models.TextField(blank=True)
    revision = models.UUIDField()
    subject_sha256 = models.CharField(max_length=64)
    decided_at = models.DateTimeField(default=clock.now)

    objects: ClassVar[DecisionManager] = DecisionManager()

    class Meta:
        indexes = [
            models.Index(
                fields=["tenant", "person"],
                condition=Q(on_behalf_of__isnull=False),
                name="approvals_decided_for_others",
            )
        ]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "step", "person"], name="approvals_decided_once"),
            models.UniqueConstraint(fields=["tenant", "step", "on_behalf_of"], name="approvals_decided_for_once"),
            models.UniqueConstraint(fields=["tenant", "assignment"], name="approvals_seat_once"),
        ]

    @property
    def who(self) -> str:
        """`Grace Hopper`, or `Grace Hopper for Ada Lovelace`."""
        if self.on_behalf_of is None:
            return self.person.name
        return _("%(who)s for %(whom)s") % {"who": self.person.name, "whom": self.on_behalf_of.name}


def deciders_of(case: Case, keys: Iterable[str]) -> set[UUID]:
    """Who decided on these steps in the round that runs: whoever spoke, and whoever's voice it was."""
    rows = Decision.objects.filter(step__case_id=case.pk, step__round=case.round, step__key__in=list(keys))
    return {one for pair in rows.values_list("person_id", "on_behalf_of_id") for one in pair if one is not None}


def asked_about(member: Member) -> models.QuerySet[Any]:
    """Ids of the subjects that this member was asked to decide on, themselves or in whose place they stand in now."""
    rows = Assignment.objects
    found = [
        one.values("step__case__subject_id")
        for one in (rows.of(member), rows.covered_by(member), rows.decided_for_others(member))
    ]
    subjects: models.QuerySet[Any] = found[0].union(*found[1:])
    return subjects
