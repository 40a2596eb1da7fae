"""The OpenFeature Remote Evaluation Protocol, for the tenant of the token and no other."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.tenants.context import current_tenant

from .evaluation import evaluate, evaluate_all
from .rules import Evaluation


class EvaluationRequestSerializer(serializers.Serializer[Any]):
    context = serializers.DictField(  # type: ignore[assignment]
        required=False, help_text="targetingKey, if given, is the id of your tenant"
    )


class EvaluationSerializer(serializers.Serializer[Any]):
    key = serializers.CharField()
    value = serializers.BooleanField()
    reason = serializers.CharField(help_text="DISABLED, TARGETING_MATCH or SPLIT")
    variant = serializers.CharField(help_text="on or off")
    metadata = serializers.DictField(help_text="algo, salt, bucket, threshold, version: compute it yourself")


class BulkSerializer(serializers.Serializer[Any]):
    flags = EvaluationSerializer(many=True)


class FailureSerializer(serializers.Serializer[Any]):
    key = serializers.CharField(required=False)
    errorCode = serializers.CharField()
    errorDetails = serializers.CharField()


def as_json(found: Evaluation) -> dict[str, Any]:
    return {
        "key": found.key,
        "value": found.value,
        "reason": found.reason,
        "variant": found.variant,
        "metadata": found.receipt,
    }


def fault_of(request: Request) -> str:
    """What is wrong with the context; empty when it is for the tenant of the token."""
    body = request.data
    context = body.get("context", {}) if isinstance(body, dict) else None
    if not isinstance(context, dict):
        return "The context is an object."
    asked = context.get("targetingKey")
    if asked is not None and asked != str(current_tenant()):
        return "The targetingKey is the id of your own tenant, or left out."
    return ""


class FlagView(APIView):
    needs = {"post": ""}

    @extend_schema(
        operation_id="ofrep_v1_evaluate_flag",
        request=EvaluationRequestSerializer,
        responses={200: EvaluationSerializer, 400: FailureSerializer, 404: FailureSerializer},
    )
    def post(self, request: Request, key: str) -> Response:
        """One flag for the tenant of the token."""
        if fault := fault_of(request):
            return Response({"key": key, "errorCode": "INVALID_CONTEXT", "errorDetails": fault}, status=400)
        try:
            return Response(as_json(evaluate(key)))
        except ObjectDoesNotExist as error:
            return Response({"key": key, "errorCode": "FLAG_NOT_FOUND", "errorDetails": str(error)}, status=404)


class BulkView(APIView):
    needs = {"post": ""}

    @extend_schema(
        request=EvaluationRequestSerializer, responses={200: BulkSerializer, 304: None, 400: FailureSerializer}
    )
    def post(self, request: Request) -> Response:
        """Every flag; 304 where the ETag that is sent along still holds for this tenant."""
        if fault := fault_of(request):
            return Response({"errorCode": "INVALID_CONTEXT", "errorDetails": fault}, status=400)
        body = {"flags": [as_json(found) for found in evaluate_all()]}
        seed = json.dumps([str(current_tenant()), body], sort_keys=True).encode()
        tag = f'"{hashlib.sha256(seed).hexdigest()[:32]}"'
        if request.headers.get("If-None-Match") == tag:
            return Response(status=304, headers={"ETag": tag})
        return Response(body, headers={"ETag": tag})


urlpatterns = [
    path("evaluate/flags", BulkView.as_view(), name="ofrep-bulk"),
    path("evaluate/flags/<str:key>", FlagView.as_view(), name="ofrep-flag"),
]
