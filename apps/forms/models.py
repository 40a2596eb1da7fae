"""Forms, their frozen versions and grants; submissions, revisions and files."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, ClassVar, Self

from django.db import models
from django.db.models import F, Func, Q, TextField, Value
from django.db.models.expressions import RawSQL
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Member, TeamMember
from apps.approvals.models import Case, CaseState, PathVersion, asked_about
from apps.approvals.models import Path as ApprovalPath
from apps.tenants import clock
from apps.tenants.context import current, current_tenant
from apps.tenants.fields import IsAnyOf, OrderedJSON
from apps.tenants.models import Access, TenantForeignKey, TenantManager, TenantModel, TenantQuerySet

from .rules.filling import Filling, open_to
from .rules.spec import Spec, read_spec


class GrantRole(models.TextChoices):
    OWNER = "OWNER", _("owner: manages access and sees submissions")
    EDITOR = "EDITOR", _("editor: changes the form")
    REVIEWER = "REVIEWER", _("reviewer: sees submissions")
    FILLER = "FILLER", _("filler: may fill it, also where others may not")


class PrincipalType(models.TextChoices):
    USER = "USER", _("person")
    ROLE = "ROLE", _("role")
    TEAM = "TEAM", _("team")


ROLES_ON = "orkestra_roles_on"
# A sub-select, or the planner would ask the function once more to guess how many there are.
FORMS_HELD = "(SELECT orkestra_forms_held(%s, %s, %s, %s))::uuid[]"
WORKING = (GrantRole.OWNER, GrantRole.EDITOR, GrantRole.REVIEWER)


class FormQuerySet(TenantQuerySet["Form"]):
    def visible_to(self, member: Member) -> Self:
        """Forms that a grant lets the member work on, and the published ones that they may fill."""
        return self.filter(Q(held_as(member, *WORKING)) | may_be_filled_by(member))

    def fillable_by(self, member: Member) -> Self:
        """Published forms that the member may fill: those open to their role, and those that name them."""
        return self.filter(may_be_filled_by(member))

    def granted_to(self, member: Member, *roles: GrantRole) -> Self:
        """Forms on which the member holds one of these roles."""
        return self.filter(held_as(member, *roles))

    def with_roles_of(self, member: Member) -> Self:
        """Each form with `roles_held`: the roles that grants give the member there. For one form; a list asks `held_as`."""
        asked = (Value(current_tenant()), F("pk"), Value(member.pk), Value(member.role))
        return self.annotate(roles_held=Func(*asked, function=ROLES_ON, output_field=TextField()))

    def listed(self) -> Self:
        """What a list shows of each form, and the number of its live version; drafts and versions are left unread."""
        shown = self.only("tenant", "title", "slug", "description", "created_at")
        return shown.annotate(live_number=F("live_version__number"))


def held_by(member: Member) -> frozenset[str]:
    """What the member's role allows, less what the credential of this request withholds: a key's scopes."""
    acting = current()
    if acting.scopes is None or acting.member != member.pk:
        return member.permissions
    return member.permissions & acting.scopes


def held_as(member: Member, *roles: GrantRole) -> IsAnyOf:
    """The condition on forms that the member holds one of these roles there: what `Grant.objects.matching` finds.

    By its text kept as a function that the database plans only once.
    """
    asked = [current_tenant(), member.pk, member.role, list(roles)]
    return IsAnyOf("pk", RawSQL(FORMS_HELD, asked))  # noqa: S611  a constant; the values are parameters


def may_be_filled_by(member: Member) -> Q:
    """The one rule of who fills, as a condition on forms; lists, single looks and writes all ask it."""
    named = Q(held_as(member, GrantRole.FILLER))
    open_now = Q(filling__in=open_to(held_by(member), named=False))
    open_named = named & Q(filling__in=open_to(held_by(member), named=True))
    return Q(live_version__isnull=False) & (open_now | open_named)


FormManager = TenantManager.from_queryset(FormQuerySet)


class Form(TenantModel):
    """A questionnaire. Submissions always point at one of its frozen versions; `schema`, `ui`, `path` are the draft."""

    audit_type: ClassVar[str] = "form"
    extra_policies: ClassVar[tuple[str, ...]] = ("public_form",)
    roles_held: list[str]  # where `with_roles_of` asked for them

    title = models.CharField(_("title"), max_length=200)
    slug = models.SlugField(_("address"), max_length=63)
    description = models.TextField(_("description"), blank=True)
    schema = OrderedJSON()
    ui = OrderedJSON(default=dict)
    path = OrderedJSON(null=True)
    filling = models.CharField(_("who may fill it"), max_length=8, choices=Filling.choices, default=Filling.MEMBERS)
    approval_path = TenantForeignKey(ApprovalPath, models.PROTECT, null=True, related_name="+")
    live_version = TenantForeignKey("forms.FormVersion", models.PROTECT, null=True, related_name="+")
    created_by = TenantForeignKey(Member, models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=clock.now, editable=False)
    changed_at = models.DateTimeField(default=clock.now)

    objects: ClassVar[FormManager] = FormManager()

    class Meta:
        verbose_name = _("form")
        constraints = [models.UniqueConstraint(fields=["tenant", "slug"], name="forms_form_slug")]
        indexes = [models.Index(fields=["tenant", "-created_at", "-id"], name="forms_form_created")]

    def __str__(self) -> str:
        return self.title

    @property
    def audit_label(self) -> str:
        return self.slug


class FormVersion(TenantModel):
    """A form as it was published, with the path it runs on; the app's role can add versions and change none."""

    access: ClassVar[Access] = Access.APPEND
    audit_type: ClassVar[str] = "form_version"

    form = TenantForeignKey(Form, models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    title = models.CharField(max_length=200)
    schema = OrderedJSON()
    ui = OrderedJSON()
    sha256 = models.CharField(max_length=64)
    path_version = TenantForeignKey(PathVersion, models.PROTECT, null=True, related_name="+")
    published_by = TenantForeignKey(Member, models.PROTECT, related_name="+")
    published_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "form", "number"], name="forms_version_number")]

    @property
    def spec(self) -> Spec:
        """The form as one value; read once a process, since a version never changes."""
        return _read(_Frozen(self))


class _Frozen:
    """A cache key with its version riding along. The tenant is part of it: a stored hash alone could be another's."""

    def __init__(self, version: FormVersion) -> None:
        self.key, self.version = (version.tenant_id, version.pk, version.sha256), version

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Frozen) and other.key == self.key

    def __hash__(self) -> int:
        return hash(self.key)


@lru_cache(maxsize=256)
def _read(key: _Frozen) -> Spec:
    return read_spec(key.version.schema, key.version.ui)


class GrantQuerySet(TenantQuerySet["Grant"]):
    def matching(self, member: Member) -> Self:
        """Rows whose principal is the member, their role, or a team of theirs."""
        teams = TeamMember.objects.filter(member=member).values("team_id")
        return self.filter(
            Q(principal_type=PrincipalType.USER, principal_member=member)
            | Q(principal_type=PrincipalType.ROLE, principal_role=member.role)
            | (Q(principal_type=PrincipalType.TEAM) & Q(IsAnyOf("principal_team_id", teams)))
        )


GrantManager = TenantManager.from_queryset(GrantQuerySet)


class Grant(TenantModel):
    """One row of a form's access list: a person, a role or a team holds OWNER, EDITOR, REVIEWER or FILLER."""

    audit_type: ClassVar[str] = "grant"

    form = TenantForeignKey(Form, models.CASCADE, related_name="grants")
    principal_type = models.CharField(max_length=8, choices=PrincipalType.choices)
    principal_member = TenantForeignKey(Member, models.CASCADE, null=True, related_name="+")
    principal_role = models.CharField(max_length=16, blank=True)
    principal_team = TenantForeignKey("accounts.Team", models.CASCADE, null=True, related_name="+")
    role = models.CharField(max_length=16, choices=GrantRole.choices)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    objects: ClassVar[GrantManager] = GrantManager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=[
                    "tenant",
                    "form",
                    "principal_type",
                    "principal_member",
                    "principal_role",
                    "principal_team",
                    "role",
                ],
                nulls_distinct=False,
                name="forms_grant_once",
            )
        ]
        indexes = [
            models.Index(
                fields=["tenant", "principal_role"],
                condition=models.Q(principal_type="ROLE"),
                name="forms_grant_role",
            )
        ]

    @property
    def principal_id(self) -> str:
        """The id of the person or team, or the name of the role."""
        return str(self.principal_member_id or self.principal_team_id or self.principal_role)


class SubmissionQuerySet(TenantQuerySet["Submission"]):
    def visible_to(self, member: Member) -> Self:
        """One's own; those of forms where one owns or reviews, once sent; those one was asked to decide on."""
        forms = Form.objects.granted_to(member, GrantRole.OWNER, GrantRole.REVIEWER).values("pk")
        sent = Q(case__isnull=False)
        return self.filter(Q(submitter=member) | (sent & Q(form__in=forms)) | (sent & Q(pk__in=asked_about(member))))

    def in_state(self, state: str) -> Self:
        """Drafts have no case; every other state is the case's."""
        return self.filter(case__isnull=True) if state == Submission.DRAFT else self.filter(case__state=state)

    def with_all(self) -> Self:
        """With what stands around each, but the JSON of its form: a draft is no part of it, a version is read once."""
        rows = self.select_related("form", "form_version", "case", "submitter__user", "current_revision")
        return rows.defer("form__schema", "form__ui", "form__path", "form_version__schema", "form_version__ui")


SubmissionManager = TenantManager.from_queryset(SubmissionQuerySet)


class Submission(TenantModel):
    """A filled form, pinned to a version. Its state is its case's; without one it is a draft.

    Without a submitter it came from outside, through the form's public address.
    """

    audit_type: ClassVar[str] = "submission"
    DRAFT: ClassVar[str] = "draft"

    form = TenantForeignKey(Form, models.PROTECT, related_name="submissions")
    form_version = TenantForeignKey(FormVersion, models.PROTECT, related_name="+")
    submitter = TenantForeignKey(Member, models.PROTECT, null=True, related_name="submissions")
    reference = models.CharField(max_length=40, blank=True)
    title = models.CharField(max_length=200, blank=True)
    case = TenantForeignKey(Case, models.PROTECT, null=True, related_name="+")
    draft_data = models.JSONField(default=dict)
    current_revision = TenantForeignKey("forms.Revision", models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(default=clock.now, editable=False)
    changed_at = models.DateTimeField(default=clock.now)
    submitted_at = models.DateTimeField(null=True)

    objects: ClassVar[SubmissionManager] = SubmissionManager()

    class Meta:
        verbose_name = _("submission")
        indexes = [
            models.Index(fields=["tenant", "form", "-changed_at"], name="forms_submission_form"),
            models.Index(fields=["tenant", "submitter", "-changed_at"], name="forms_submission_submitter"),
        ]

    @property
    def audit_label(self) -> str:
        return self.reference

    @property
    def sender(self) -> Any:
        """Who it is from, in words."""
        return self.submitter.name if self.submitter else _("the public form")

    @property
    def state(self) -> str:
        return self.case.state if self.case else self.DRAFT

    @property
    def state_label(self) -> Any:
        return CaseState(self.case.state).label if self.case else _("draft")

    @property
    def is_editable(self) -> bool:
        """Whether its submitter may still change answers."""
        return self.state in {self.DRAFT, CaseState.CHANGES_REQUESTED}

    @property
    def is_open(self) -> bool:
        return self.state in {CaseState.IN_REVIEW, CaseState.CHANGES_REQUESTED}


class Revision(TenantModel):
    """The answers as they were sent; each correction is another one, and none is ever changed."""

    access: ClassVar[Access] = Access.APPEND
    audit_type: ClassVar[str] = "revision"

    submission = TenantForeignKey(Submission, models.PROTECT, related_name="revisions")
    number = models.PositiveIntegerField()
    data = models.JSONField()
    sha256 = models.CharField(max_length=64)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "submission", "number"], name="forms_revision_number")]


class Attachment(TenantModel):
    """A file of a submission; its bytes lie below their SHA-256, apart for each tenant."""

    audit_type: ClassVar[str] = "attachment"

    submission = TenantForeignKey(Submission, models.CASCADE, related_name="attachments")
    field = models.CharField(max_length=40)
    name = models.CharField(max_length=255)
    sha256 = models.CharField(max_length=64)
    size = models.PositiveBigIntegerField()
    content_type = models.CharField(max_length=100)
    uploaded_at = models.DateTimeField(default=clock.now, editable=False)


class Receipt(TenantModel):
    """What somebody outside holds for what they sent: the hash of the one secret in their private link."""

    access: ClassVar[Access] = Access.APPEND
    audit_type: ClassVar[str] = "receipt"
    extra_policies: ClassVar[tuple[str, ...]] = ("by_hash",)

    submission = TenantForeignKey(Submission, models.PROTECT, related_name="receipts")
    token_sha256 = models.BinaryField(max_length=32)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "submission"], name="forms_receipt_once"),
            models.UniqueConstraint(fields=["tenant", "token_sha256"], name="forms_receipt_token"),
        ]


class ExportState(models.TextChoices):
    QUEUED = "queued", _("waiting")
    RUNNING = "running", _("being made")
    DONE = "done", _("ready")
    FAILED = "failed", _("failed")
    DROPPED = "dropped", _("deleted")


class Export(TenantModel):
    """One export of the tenant's data as a ZIP; `done` of `total` rows tell how far it is."""

    audit_type: ClassVar[str] = "export"

    requested_by = TenantForeignKey(Member, models.PROTECT, related_name="+")
    state = models.CharField(max_length=8, choices=ExportState.choices, default=ExportState.QUEUED)
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    size = models.PositiveBigIntegerField(default=0)
    sha256 = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    finished_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["tenant", "-created_at"], name="forms_export_time")]


class ReferenceCounter(TenantModel):
    """The last number given under a prefix in a year."""

    prefix = models.CharField(max_length=8)
    year = models.PositiveSmallIntegerField()
    value = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "prefix", "year"], name="forms_counter_once")]
