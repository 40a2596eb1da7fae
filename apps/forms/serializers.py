"""How forms, submissions and tasks look on the API."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.approvals.api import TitleField
from apps.approvals.models import Assignment, Decision, Verdict
from apps.tenants.api import CheckedSerializer

from .models import Attachment, Form, FormVersion, Grant, GrantRole, PrincipalType, Submission
from .rules.filling import Filling


@extend_schema_field(OpenApiTypes.OBJECT)
class ObjectField(serializers.JSONField):
    """A JSON object."""

    def to_internal_value(self, data: Any) -> Any:
        value = super().to_internal_value(data)
        if not isinstance(value, dict):
            raise serializers.ValidationError("This must be an object.")
        return value


FILLING = "members, named (holders of FILLER alone) or public (anyone with the address); only a form's owner sets it"


class FormInputSerializer(CheckedSerializer):
    title = serializers.CharField(max_length=200)
    slug = serializers.SlugField(max_length=63)
    description = serializers.CharField(max_length=2000, required=False, allow_blank=True)
    schema = ObjectField(help_text="JSON Schema 2020-12")
    ui = ObjectField(required=False)
    path = ObjectField(required=False, allow_null=True)
    filling = serializers.ChoiceField(choices=Filling.choices, required=False, help_text=FILLING)


class FormChangeSerializer(CheckedSerializer):
    title = serializers.CharField(max_length=200, required=False)
    description = serializers.CharField(max_length=2000, required=False, allow_blank=True)
    schema = ObjectField(required=False)
    ui = ObjectField(required=False)
    path = ObjectField(required=False, allow_null=True)
    filling = serializers.ChoiceField(choices=Filling.choices, required=False, help_text=FILLING)


class FormSerializer(serializers.ModelSerializer[Form]):
    live_version = serializers.IntegerField(source="live_version.number", allow_null=True, default=None)
    schema = ObjectField()
    ui = ObjectField()
    path = ObjectField(allow_null=True)

    class Meta:
        model = Form
        fields = [
            "id",
            "title",
            "slug",
            "description",
            "schema",
            "ui",
            "path",
            "filling",
            "live_version",
            "created_at",
            "changed_at",
        ]


class FormVersionSerializer(serializers.ModelSerializer[FormVersion]):
    schema = ObjectField()
    ui = ObjectField()
    path = ObjectField(source="path_version.definition")

    class Meta:
        model = FormVersion
        fields = ["id", "number", "title", "schema", "ui", "path", "sha256", "published_at"]


class GrantSerializer(serializers.ModelSerializer[Grant]):
    principal_id = serializers.CharField(read_only=True)

    class Meta:
        model = Grant
        fields = ["id", "principal_type", "principal_id", "role", "created_at"]


class ExplainedSerializer(serializers.Serializer[Any]):
    member = serializers.UUIDField(source="member.pk")
    role = serializers.CharField(source="member.role")
    is_active = serializers.BooleanField(source="member.can_act")
    may = serializers.ListField(child=serializers.CharField())
    grants = GrantSerializer(many=True)
    ceiling = serializers.ListField(child=serializers.CharField(), help_text="what the tenant role allows at most")


class UnownedSerializer(serializers.ModelSerializer[Form]):
    class Meta:
        model = Form
        fields = ["id", "title", "slug", "created_at"]


class GrantInputSerializer(CheckedSerializer):
    principal_type = serializers.ChoiceField(choices=PrincipalType.choices)
    principal_id = serializers.CharField(max_length=64)
    role = serializers.ChoiceField(choices=GrantRole.choices)


class SubmissionInputSerializer(CheckedSerializer):
    data = ObjectField(required=False, default=dict)  # type: ignore[assignment]
    draft = serializers.BooleanField(required=False, default=False, help_text="Keep it as a draft instead of sending.")


class DraftInputSerializer(CheckedSerializer):
    data = ObjectField(required=False)  # type: ignore[assignment]


class AttachmentSerializer(serializers.ModelSerializer[Attachment]):
    class Meta:
        model = Attachment
        fields = ["id", "field", "name", "size", "sha256", "content_type", "uploaded_at"]


class AttachmentInputSerializer(CheckedSerializer):
    field = serializers.CharField(max_length=40)
    file = serializers.FileField(allow_empty_file=False)


class SubmissionSerializer(serializers.ModelSerializer[Submission]):
    form = serializers.UUIDField(source="form_id")
    form_version = serializers.IntegerField(source="form_version.number")
    state = serializers.CharField(read_only=True)
    submitter = serializers.UUIDField(source="submitter_id", allow_null=True, help_text="null: from the public form")
    revision = serializers.UUIDField(source="current_revision_id", allow_null=True)
    data = serializers.SerializerMethodField()  # type: ignore[assignment]
    sha256 = serializers.CharField(source="current_revision.sha256", default=None, allow_null=True)

    class Meta:
        model = Submission
        fields = [
            "id", "form", "form_version", "reference", "title", "state", "submitter", "revision", "sha256", "data",
            "created_at", "changed_at", "submitted_at",
        ]  # fmt: skip

    @extend_schema_field(OpenApiTypes.OBJECT)
    def get_data(self, found: Submission) -> Any:
        if found.current_revision is None or (found.draft_data and found.is_editable):
            return found.draft_data
        return found.current_revision.data


class TaskSerializer(serializers.ModelSerializer[Assignment]):
    submission = serializers.UUIDField(source="step.case.subject_id")
    revision = serializers.UUIDField(source="step.case.subject_revision")
    form = serializers.UUIDField(source="step.case.collection_id")
    reference = serializers.CharField(source="step.case.reference")
    title = TitleField(source="step.case.title", help_text="empty for a key without submissions.read")
    person = serializers.UUIDField(
        source="person_id", help_text="whose voice it is: one's own, or of whom one stands in for"
    )
    step = serializers.CharField(source="step.name")
    quorum = serializers.JSONField(source="step.quorum")
    due_at = serializers.DateTimeField(source="step.due_at", allow_null=True)
    opened_at = serializers.DateTimeField(source="step.opened_at")

    class Meta:
        model = Assignment
        fields = [
            "id", "submission", "revision", "form", "reference", "title", "person", "step", "quorum", "state", "due_at",
            "opened_at",
        ]  # fmt: skip


class DecisionInputSerializer(CheckedSerializer):
    verdict = serializers.ChoiceField(choices=Verdict.choices)
    reason = serializers.CharField(required=False, allow_blank=True, default="", max_length=4000)
    revision = serializers.UUIDField(help_text="the revision that was read; another one is 409")


class DecisionSerializer(serializers.ModelSerializer[Decision]):
    submission = serializers.UUIDField(source="step.case.subject_id")
    task = serializers.UUIDField(source="assignment_id")
    person = serializers.UUIDField(source="person_id")
    on_behalf_of = serializers.UUIDField(
        source="on_behalf_of_id", allow_null=True, help_text="whose voice it was, if not theirs"
    )

    class Meta:
        model = Decision
        fields = [
            "id",
            "task",
            "submission",
            "person",
            "on_behalf_of",
            "verdict",
            "reason",
            "revision",
            "subject_sha256",
            "decided_at",
        ]
