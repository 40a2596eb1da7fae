"""Usage for integrations."""

from __future__ import annotations

from typing import Any

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.tenants.api import ApiRequest
from apps.tenants.slots import slots

from .usage import meters, subscription


class QuotaSerializer(serializers.Serializer[Any]):
    resource = serializers.CharField()
    used = serializers.IntegerField()
    limit = serializers.IntegerField(allow_null=True, help_text="null is no limit")
    limit_source = serializers.CharField(help_text="plan, override, or the resource's own name")
    unit = serializers.CharField(help_text="count, bytes or micro_usd (millionths of a dollar)")
    resets_at = serializers.DateTimeField(allow_null=True)


class UsageSerializer(serializers.Serializer[Any]):
    plan = serializers.CharField(allow_null=True)
    trial_ends_at = serializers.DateTimeField(allow_null=True)
    trial_is_over = serializers.BooleanField()
    quotas = QuotaSerializer(many=True)


class UsageView(APIView):
    needs = {"get": "settings.read"}

    @extend_schema(responses=UsageSerializer)
    def get(self, request: ApiRequest) -> Response:
        """The plan of the tenant, its trial, and how much of each limit is used."""
        found = subscription()
        quotas = [
            {
                "resource": meter.resource.value,
                "used": meter.used,
                "limit": meter.most,
                "limit_source": meter.source,
                "unit": "bytes" if meter.measure.in_bytes else "count",
                "resets_at": meter.resets_at,
            }
            for meter in meters(found)
        ]
        quotas += [
            {
                "resource": meter.key,
                "used": reading.used,
                "limit": reading.limit,
                "limit_source": meter.key,
                "unit": meter.unit,
                "resets_at": reading.resets_at,
            }
            for meter in slots.usage_meters
            if (reading := meter.read())
        ]
        body = {
            "plan": found.plan.key if found else None,
            "trial_ends_at": found.trial_ends_at if found else None,
            "trial_is_over": bool(found and found.trial_is_over),
            "quotas": quotas,
        }
        return Response(UsageSerializer(body).data)


routes: list[tuple[str, Any, str]] = []
urlpatterns = [path("usage", UsageView.as_view(), name="usage")]
