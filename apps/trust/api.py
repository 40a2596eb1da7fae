"""What is claimed, and whether it holds, for machines."""

from __future__ import annotations

from typing import Any

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from . import claims
from .probes import Checked, check
from .views import controls


class ControlSerializer(serializers.Serializer[Any]):
    key = serializers.CharField()
    title = serializers.CharField()
    sentence = serializers.CharField()
    state = serializers.CharField(help_text="holds, broken or unknown")
    detail = serializers.CharField()
    checked_at = serializers.DateTimeField()


class ControlsSerializer(serializers.Serializer[Any]):
    controls = ControlSerializer(many=True)


class MissingSerializer(serializers.Serializer[Any]):
    key = serializers.CharField()
    title = serializers.CharField()
    sentence = serializers.CharField()


class ClaimsSerializer(serializers.Serializer[Any]):
    live = ControlSerializer(many=True)
    not_built_yet = MissingSerializer(many=True)


def as_json(found: Checked) -> dict[str, Any]:
    claim = found.claim
    return {
        "key": claim.key,
        "title": str(claim.title),
        "sentence": str(claim.sentence),
        "state": found.key,
        "detail": str(found.finding.detail),
        "checked_at": found.at,
    }


class Public(APIView):
    permission_classes: list[Any] = []


class ControlsView(Public):
    @extend_schema(responses=ControlsSerializer, auth=[])
    def get(self, request: Request) -> Response:
        """The five controls of the home page, each checked now."""
        return Response({"controls": [as_json(found) for found in controls()]})


class ClaimsView(Public):
    @extend_schema(responses=ClaimsSerializer, auth=[])
    def get(self, request: Request) -> Response:
        """Every claim: live ones checked now, and what is not built yet."""
        missing = [
            {"key": claim.key, "title": str(claim.title), "sentence": str(claim.sentence)} for claim in claims.missing()
        ]
        return Response({"live": [as_json(check(claim)) for claim in claims.live()], "not_built_yet": missing})


routes: list[tuple[str, Any, str]] = []
urlpatterns = [
    path("trust/controls", ControlsView.as_view(), name="trust-controls"),
    path("trust/claims", ClaimsView.as_view(), name="trust-claims"),
]
