"""Webhook endpoints and their deliveries for integrations; the same actions as the page of settings."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from apps.tenants.api import UUID_PATTERN, CheckedSerializer, TenantViewSet
from apps.tenants.refusals import NotFound

from . import actions
from .events import EVENTS
from .models import DeliveryState, WebhookAttempt, WebhookDelivery, WebhookEndpoint


class EndpointSerializer(serializers.ModelSerializer[WebhookEndpoint]):
    is_active = serializers.BooleanField(read_only=True)

    class Meta:
        model = WebhookEndpoint
        fields = ["id", "url", "description", "events", "is_active", "off", "failing_since", "created_at"]
        extra_kwargs = {
            "events": {"help_text": "types of events that are told"},
            "off": {"help_text": "empty while it is on, else why it is off: owner, failing or gone"},
        }


class NewEndpointSerializer(EndpointSerializer):
    secret = serializers.CharField(read_only=True, help_text="signs what is sent; shown this once")

    class Meta(EndpointSerializer.Meta):
        fields = [*EndpointSerializer.Meta.fields, "secret"]


class SecretSerializer(serializers.Serializer[Any]):
    secret = serializers.CharField(help_text="shown this once; the one before signs beside it for a day")


class EndpointInputSerializer(CheckedSerializer):
    url = serializers.CharField(max_length=500)
    events = serializers.ListField(child=serializers.ChoiceField(choices=sorted(EVENTS)), allow_empty=False)
    description = serializers.CharField(max_length=200, required=False, allow_blank=True)


class EndpointChangeSerializer(CheckedSerializer):
    url = serializers.CharField(max_length=500, required=False)
    events = serializers.ListField(
        child=serializers.ChoiceField(choices=sorted(EVENTS)), allow_empty=False, required=False
    )
    description = serializers.CharField(max_length=200, required=False, allow_blank=True)
    is_active = serializers.BooleanField(required=False)


class AttemptSerializer(serializers.ModelSerializer[WebhookAttempt]):
    class Meta:
        model = WebhookAttempt
        fields = ["started_at", "status", "milliseconds", "error", "excerpt"]
        extra_kwargs = {"excerpt": {"help_text": "the beginning of the answer's body"}}


class DeliverySerializer(serializers.ModelSerializer[WebhookDelivery]):
    webhook_id = serializers.CharField(source="event.message_id", read_only=True)
    type = serializers.CharField(source="event.type", read_only=True)
    calls = serializers.SerializerMethodField()

    class Meta:
        model = WebhookDelivery
        fields = [
            "id", "webhook_id", "type", "state", "attempts", "last_status", "last_error", "queued_at", "next_at",
            "done_at", "calls",
        ]  # fmt: skip

    @extend_schema_field(AttemptSerializer(many=True))
    def get_calls(self, delivery: WebhookDelivery) -> Any:
        """The attempts, oldest first."""
        return AttemptSerializer(sorted(delivery.calls.all(), key=lambda call: call.started_at), many=True).data


class WebhookViewSet(TenantViewSet[WebhookEndpoint]):
    """Addresses that are told about events, signed as Standard Webhooks says."""

    serializer_class = EndpointSerializer
    needs = {
        "list": "settings.read", "retrieve": "settings.read", "create": "settings.write",
        "partial_update": "settings.write", "destroy": "settings.write", "rotate": "settings.write",
        "test": "settings.write", "deliveries": "settings.read", "resend": "settings.write",
    }  # fmt: skip

    def rows(self) -> Any:
        return WebhookEndpoint.objects.all()

    @extend_schema(request=EndpointInputSerializer, responses={201: NewEndpointSerializer})
    def create(self, request: Request) -> Response:
        """A new endpoint; its secret is in this answer and in no other."""
        asked = EndpointInputSerializer.checked(request)
        made, secret = actions.create_endpoint(by=self.request.member, **asked)
        return Response({**EndpointSerializer(made).data, "secret": secret}, status=201)

    @extend_schema(request=EndpointChangeSerializer, responses=EndpointSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Another address, note or choice of events; off and on."""
        asked = EndpointChangeSerializer.checked(request)
        made = actions.change_endpoint(self.get_object(), by=self.request.member, **asked)
        return Response(EndpointSerializer(made).data)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """Remove an endpoint with its log."""
        actions.delete_endpoint(self.get_object(), by=self.request.member)
        return Response(status=204)

    @extend_schema(request=None, responses={201: SecretSerializer})
    @action(detail=True, methods=["post"])
    def rotate(self, request: Request, pk: str) -> Response:
        """A new secret; both sign for a day."""
        return Response({"secret": actions.rotate_secret(self.get_object(), by=self.request.member)}, status=201)

    @extend_schema(request=None, responses={201: DeliverySerializer})
    @action(detail=True, methods=["post"])
    def test(self, request: Request, pk: str) -> Response:
        """Send a harmless event of the type `webhook.test`."""
        made = actions.send_test(self.get_object(), by=self.request.member)
        return Response(DeliverySerializer(made).data, status=201)

    @extend_schema(responses=DeliverySerializer(many=True))
    @action(detail=True, methods=["get"])
    def deliveries(self, request: Request, pk: str) -> Response:
        """What was sent or is waiting, newest first; `?state=` queued, delivered or dead."""
        rows = deliveries_of(self.get_object(), str(request.query_params.get("state", "")))
        found: Any = self.paginate_queryset(rows)
        return self.get_paginated_response(DeliverySerializer(found, many=True).data)

    @extend_schema(request=None, responses={201: DeliverySerializer})
    @action(detail=True, methods=["post"], url_path=rf"deliveries/(?P<delivery>{UUID_PATTERN})/resend")
    def resend(self, request: Request, pk: str, delivery: str) -> Response:
        """Send the same message again, under the same `webhook-id`."""
        try:
            found = get_object_or_404(self.get_object().deliveries.select_related("event"), pk=UUID(delivery))
        except ValueError:
            raise NotFound() from None
        made = actions.resend(found, by=self.request.member)
        made.event = found.event
        return Response(DeliverySerializer(made).data, status=201)


def deliveries_of(endpoint: WebhookEndpoint, state: str = "") -> Any:
    """The deliveries of one endpoint with their calls, of one state where it is given."""
    rows = WebhookDelivery.objects.filter(endpoint=endpoint).select_related("event").prefetch_related("calls")
    return rows.filter(state=state) if state in DeliveryState.values else rows


routes: list[tuple[str, Any, str]] = [("webhooks", WebhookViewSet, "webhook")]
