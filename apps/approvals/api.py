"""Stand-ins, and steps that stand still, for integrations; the same actions as the pages."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.models import Member
from apps.tenants import clock
from apps.tenants.api import CheckedSerializer, TenantViewSet
from apps.tenants.context import current
from apps.tenants.refusals import Invalid

from .actions import end_stand_in, set_stand_in, staff_step
from .actions.standing_in import LONGEST_NOTE
from .models import CaseStep, Delegation


class DelegationSerializer(serializers.ModelSerializer[Delegation]):
    person = serializers.UUIDField(source="person_id", help_text="in whose place")
    stand_in = serializers.UUIDField(source="stand_in_id", help_text="who decides")
    created_by = serializers.UUIDField(source="created_by_id")
    is_running = serializers.BooleanField(read_only=True)

    class Meta:
        model = Delegation
        fields = [
            "id", "person", "stand_in", "starts_at", "ends_at", "note", "is_running", "created_by", "created_at",
            "ended_at",
        ]  # fmt: skip


class DelegationInputSerializer(CheckedSerializer):
    person = serializers.UUIDField(required=False, help_text="in whose place; yours where left out")
    stand_in = serializers.UUIDField()
    starts_at = serializers.DateTimeField(required=False, help_text="now where left out or past")
    ends_at = serializers.DateTimeField(help_text="this moment is not covered any more")
    note = serializers.CharField(
        required=False, allow_blank=True, max_length=LONGEST_NOTE, help_text="needed in somebody else's place"
    )


class DelegationViewSet(TenantViewSet[Delegation]):
    """Who decides in whose place, and when: one's own, and for owners everybody's."""

    serializer_class = DelegationSerializer
    needs = dict.fromkeys(["list", "retrieve", "create", "destroy"], "tasks.decide")

    def rows(self) -> Any:
        everything = self.request.context.allows("members.write")
        return Delegation.objects.visible_to(self.request.member, everything=everything)

    @extend_schema(request=DelegationInputSerializer, responses={201: DelegationSerializer})
    def create(self, request: Request) -> Response:
        """Name a stand-in. Needs a sign-in within the last five minutes, and members.write in somebody else's place."""
        asked = {"starts_at": clock.now()} | DelegationInputSerializer.checked(request)
        person = _member("person", asked.pop("person", self.request.member.pk))
        stand_in = _member("stand_in", asked.pop("stand_in"))
        made = set_stand_in(person, stand_in=stand_in, by=self.request.member, **asked)
        return Response(DelegationSerializer(made).data, status=201)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """End it at once; what was decided stays."""
        end_stand_in(self.get_object(), by=self.request.member)
        return Response(status=204)


class TitleField(serializers.CharField):
    """A submission's title, which is one of its answers: empty for a key without submissions.read."""

    def to_representation(self, value: str) -> str:
        return super().to_representation(value) if current().allows("submissions.read") else ""


class StuckStepSerializer(serializers.ModelSerializer[CaseStep]):
    submission = serializers.UUIDField(source="case.subject_id")
    form = serializers.UUIDField(source="case.collection_id")
    reference = serializers.CharField(source="case.reference")
    title = TitleField(source="case.title", help_text="empty for a key without submissions.read")
    quorum = serializers.JSONField()

    class Meta:
        model = CaseStep
        fields = [
            "id",
            "submission",
            "form",
            "reference",
            "title",
            "key",
            "name",
            "state",
            "quorum",
            "reason",
            "opened_at",
        ]


class StaffInputSerializer(CheckedSerializer):
    people = serializers.ListField(child=serializers.UUIDField(), min_length=1, max_length=50)


class StuckStepViewSet(TenantViewSet[CaseStep]):
    """Steps that stand still because nobody may decide them."""

    serializer_class = StuckStepSerializer
    needs = dict.fromkeys(["list", "retrieve", "staff"], "settings.write")

    def rows(self) -> Any:
        return CaseStep.objects.stuck()

    @extend_schema(request=StaffInputSerializer, responses={201: StuckStepSerializer})
    @action(detail=True, methods=["post"])
    def staff(self, request: Request, pk: str) -> Response:
        """Ask these members, beside those whom the path still finds; the step opens."""
        step, asked = self.get_object(), StaffInputSerializer.checked(request)["people"]
        made = staff_step(step, [_member("people", one) for one in asked], by=self.request.member)
        return Response(StuckStepSerializer(made).data, status=201)


def _member(field: str, pk: UUID) -> Member:
    found = Member.objects.select_related("user", "tenant").filter(pk=pk).first()
    if found is None:
        raise Invalid({field: [_("There is nobody with this id here.")]})
    return found


routes: list[tuple[str, Any, str]] = [
    ("delegations", DelegationViewSet, "delegation"),
    ("stuck-steps", StuckStepViewSet, "stuck-step"),
]
