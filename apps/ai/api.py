"""AI for integrations: where it stands and what it cost, for owners; a summary, for who decides."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.approvals.models import Assignment, asked_about
from apps.tenants import clock
from apps.tenants.api import ApiRequest, CheckedSerializer, ReadOnlyTenantViewSet
from apps.tenants.context import require

from . import actions
from .actions.allowance import allowance
from .actions.ledger import budget_now
from .models import Summary, UsageEvent, Verdict
from .rules import next_month
from .switches import state


class StateSerializer(serializers.Serializer[Any]):
    is_on = serializers.BooleanField()
    off = serializers.CharField(allow_null=True, help_text="the first switch that is off; null when calls are made")
    host = serializers.CharField(allow_null=True)
    model = serializers.CharField(allow_null=True)
    currency = serializers.CharField(help_text="amounts are millionths of it")
    limit = serializers.IntegerField()
    spent = serializers.IntegerField()
    held = serializers.IntegerField()
    percent_used = serializers.IntegerField(help_text="spent and held, of the limit")
    ceiling = serializers.IntegerField()
    cap = serializers.IntegerField(allow_null=True)
    resets_at = serializers.DateTimeField()


class EventSerializer(serializers.ModelSerializer[UsageEvent]):
    actor = serializers.UUIDField(source="actor_id", allow_null=True)

    class Meta:
        model = UsageEvent
        fields = [
            "id", "at", "actor", "feature", "object_type", "object_id", "host", "requested_model", "answered_model",
            "response_id", "attempt", "input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens",
            "usage_source", "price_version", "reserved", "settled", "excess", "latency_ms", "outcome", "finish_reason",
            "template_version", "prompt_sha256", "redactions", "request_id",
        ]  # fmt: skip


class SuggestionSerializer(serializers.Serializer[Any]):
    summary = serializers.CharField()
    points = serializers.ListField(child=serializers.CharField())
    questions = serializers.ListField(child=serializers.CharField())


class SummarySerializer(serializers.ModelSerializer[Summary]):
    submission = serializers.UUIDField(source="submission_id")
    revision = serializers.UUIDField(source="revision_id")
    text = serializers.SerializerMethodField()
    is_stale = serializers.SerializerMethodField(help_text="about another revision than the one that waits")

    class Meta:
        model = Summary
        fields = [
            "id", "submission", "revision", "sha256", "state", "failure", "text", "model", "was_cut", "withheld",
            "asked_at", "finished_at", "is_stale",
        ]  # fmt: skip

    @extend_schema(responses=SuggestionSerializer)
    def get_text(self, row: Summary) -> dict[str, Any] | None:
        """Advisory, and by a model: plain text that nobody checked."""
        return row.text or None

    def get_is_stale(self, row: Summary) -> bool:
        return row.submission.current_revision_id != row.revision_id


class AnswerSerializer(CheckedSerializer):
    said = serializers.ChoiceField(choices=Verdict.choices)


class StateView(APIView):
    needs = {"get": "settings.read"}

    @extend_schema(responses=StateSerializer)
    def get(self, request: ApiRequest) -> Response:
        """Whether calls are made, where to, and how much of this month's budget is used."""
        found, now, given = budget_now(), state(), allowance()
        body = {
            "is_on": now.off is None,
            "off": now.off.value if now.off else None,
            "host": now.provider.host or None,
            "model": now.provider.model or None,
            "currency": "USD",
            "limit": found.limit,
            "spent": found.spent,
            "held": found.held,
            "percent_used": found.percent,
            "ceiling": given.ceiling,
            "cap": given.cap,
            "resets_at": next_month(clock.now()),
        }
        return Response(StateSerializer(body).data)


class EventViewSet(ReadOnlyTenantViewSet[UsageEvent]):
    """The ledger: one entry for each attempt at the model, newest first."""

    serializer_class = EventSerializer
    needs = {"list": "settings.read", "retrieve": "settings.read"}

    def rows(self) -> Any:
        return UsageEvent.objects.all()


def task_of(request: Any, pk: UUID) -> Assignment:
    """A task of this person, open or not; 404 for anybody else's. A summary tells answers, so a key must read those."""
    require("submissions.read")
    member = request._request.member
    return get_object_or_404(Assignment.objects.seen_by(member).with_case(), pk=pk)


class TaskSummaryView(APIView):
    needs = {"get": "tasks.decide", "post": "tasks.decide"}

    @extend_schema(responses=SummarySerializer)
    def get(self, request: ApiRequest, pk: UUID) -> Response:
        """The newest summary of the submission of a task of mine."""
        task = task_of(request, pk)
        rows = Summary.objects.filter(submission=task.step.case.subject_id).select_related("submission")
        found = rows.order_by("-asked_at").first()
        return Response(SummarySerializer(get_object_or_404(rows, pk=found.pk if found else None)).data)

    @extend_schema(request=None, responses={201: SummarySerializer})
    def post(self, request: ApiRequest, pk: UUID) -> Response:
        """Have one written of the revision that waits for me; a job does it, and GET tells when it is there."""
        task = task_of(request, pk)
        made = actions.ask_summary(task, by=request._request.member)  # type: ignore[attr-defined]
        return Response(SummarySerializer(made).data, status=201)


class SummaryAnswerView(APIView):
    needs = {"post": "tasks.decide"}

    @extend_schema(request=AnswerSerializer, responses={204: None})
    def post(self, request: ApiRequest, pk: UUID) -> Response:
        """Say what became of a summary on a task of mine; the first answer stands."""
        member = request._request.member  # type: ignore[attr-defined]
        rows = Summary.objects.filter(submission__in=asked_about(member)).select_related("submission")
        actions.answer(get_object_or_404(rows, pk=pk), by=member, **AnswerSerializer.checked(request))
        return Response(status=204)


routes: list[tuple[str, Any, str]] = [("ai/events", EventViewSet, "ai-event")]
urlpatterns = [
    path("ai/usage", StateView.as_view(), name="ai-usage"),
    path("ai/tasks/<uuid:pk>/summary", TaskSummaryView.as_view(), name="ai-task-summary"),
    path("ai/summaries/<uuid:pk>/answer", SummaryAnswerView.as_view(), name="ai-summary-answer"),
]
