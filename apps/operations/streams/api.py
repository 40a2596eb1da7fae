"""Streams of the audit log for integrations; the same actions as the pages."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from apps.tenants.api import CheckedSerializer, TenantViewSet

from . import actions
from .models import Health, Stream


class StreamSerializer(serializers.ModelSerializer[Stream]):
    health = serializers.ChoiceField(choices=Health.choices, read_only=True)
    behind = serializers.IntegerField(read_only=True, help_text="sealed entries that were not taken yet")
    lag_seconds = serializers.SerializerMethodField(help_text="age of the oldest of them")

    class Meta:
        model = Stream
        fields = [
            "id", "url", "description", "health", "next_seq", "behind", "lag_seconds", "failing_since", "last_status",
            "last_error", "next_at", "taken_at", "tested_at", "test_result", "created_at",
        ]  # fmt: skip
        extra_kwargs = {"next_seq": {"help_text": "everything before this place of the log was taken"}}

    def get_lag_seconds(self, stream: Stream) -> int:
        return int(stream.lag.total_seconds())


class NewStreamSerializer(StreamSerializer):
    secret = serializers.CharField(read_only=True, help_text="signs what is sent; shown this once")

    class Meta(StreamSerializer.Meta):
        fields = [*StreamSerializer.Meta.fields, "secret"]


class StreamSecretSerializer(serializers.Serializer[Any]):
    secret = serializers.CharField(help_text="shown this once; the one before signs beside it for a day")


class StreamInputSerializer(CheckedSerializer):
    url = serializers.CharField(max_length=500)
    description = serializers.CharField(max_length=200, required=False, allow_blank=True)
    whole = serializers.BooleanField(default=True, help_text="from the first entry on; else from now on")


class ReplaySerializer(CheckedSerializer):
    since = serializers.IntegerField(min_value=0, max_value=2**53, help_text="the first place that is sent again")


class StreamViewSet(TenantViewSet[Stream]):
    """Destinations of the audit log: CloudEvents in batches, signed as Standard Webhooks says, in the log's order."""

    serializer_class = StreamSerializer
    needs = {
        "list": "audit.read", "retrieve": "audit.read", "create": "settings.write", "destroy": "settings.write",
        "test": "settings.write", "pause": "settings.write", "resume": "settings.write", "replay": "settings.write",
        "rotate": "settings.write",
    }  # fmt: skip

    def rows(self) -> Any:
        return Stream.objects.all()

    @extend_schema(request=StreamInputSerializer, responses={201: NewStreamSerializer})
    def create(self, request: Request) -> Response:
        """A new destination, for a person who signed in just now; its secret is in this answer and in no other."""
        made, secret = actions.add_stream(by=self.request.member, **StreamInputSerializer.checked(request))
        return Response({**StreamSerializer(made).data, "secret": secret}, status=201)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """Nothing is sent there any more."""
        actions.remove_stream(self.get_object(), by=self.request.member)
        return Response(status=204)

    @extend_schema(request=None, responses={201: StreamSerializer})
    @action(detail=True, methods=["post"])
    def test(self, request: Request, pk: str) -> Response:
        """Queue a harmless event of the type `orkestra.audit.test`."""
        return self._answer(actions.send_test(self.get_object(), by=self.request.member), 201)

    @extend_schema(request=None, responses=StreamSerializer)
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, pk: str) -> Response:
        """Send nothing until it is resumed; nothing is lost meanwhile."""
        return self._answer(actions.pause(self.get_object(), by=self.request.member))

    @extend_schema(request=None, responses=StreamSerializer)
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: str) -> Response:
        """Go on where it was, at once."""
        return self._answer(actions.resume(self.get_object(), by=self.request.member))

    @extend_schema(request=ReplaySerializer, responses=StreamSerializer)
    @action(detail=True, methods=["post"])
    def replay(self, request: Request, pk: str) -> Response:
        """Send everything from a place of the log on, again, under the same ids."""
        found = self.get_object()
        since = ReplaySerializer.checked(request)["since"]
        return self._answer(actions.replay(found, since=since, by=self.request.member))

    @extend_schema(request=None, responses={201: StreamSecretSerializer})
    @action(detail=True, methods=["post"])
    def rotate(self, request: Request, pk: str) -> Response:
        """A new secret; both sign for a day."""
        return Response({"secret": actions.rotate(self.get_object(), by=self.request.member)}, status=201)

    def _answer(self, stream: Stream, status: int = 200) -> Response:
        return Response(StreamSerializer(stream).data, status=status)


routes: list[tuple[str, Any, str]] = [("audit/streams", StreamViewSet, "audit-stream")]
