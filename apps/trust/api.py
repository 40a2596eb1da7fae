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
from .controls import of_context
from .not_claimed import NOT_CLAIMED
from .probes import Checked
from .views import public_state


class ControlSerializer(serializers.Serializer[Any]):
    key = serializers.CharField()
    title = serializers.CharField()
    sentence = serializers.CharField()
    state = serializers.CharField(help_text="holds, broken or unknown")
    detail = serializers.CharField()
    checked_at = serializers.DateTimeField()


class TrustControlSerializer(ControlSerializer):
    about = serializers.CharField(help_text="whose control it is: the token's tenant, the demo's, or no tenant's")


class ControlsSerializer(serializers.Serializer[Any]):
    controls = TrustControlSerializer(many=True)


class MissingSerializer(serializers.Serializer[Any]):
    key = serializers.CharField()
    title = serializers.CharField()
    sentence = serializers.CharField()


class ClaimsSerializer(serializers.Serializer[Any]):
    live = ControlSerializer(many=True)
    not_built_yet = MissingSerializer(many=True)
    not_claimed = MissingSerializer(many=True)


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
        """The five Trust controls: checked now for the token's tenant; without a token the demo's, a few seconds old."""
        panel = of_context()
        return Response({"controls": [as_json(found) | {"about": panel.about} for found in panel.controls]})


class ClaimsView(Public):
    @extend_schema(responses=ClaimsSerializer, auth=[])
    def get(self, request: Request) -> Response:
        """Every claim: live ones checked within the last seconds, what is not built yet, and what is not claimed."""
        lists = {"not_built_yet": claims.missing(), "not_claimed": NOT_CLAIMED}
        plain = {
            name: [{"key": one.key, "title": str(one.title), "sentence": str(one.sentence)} for one in listed]
            for name, listed in lists.items()
        }
        return Response({"live": [as_json(found) for found in public_state().checked], **plain})


routes: list[tuple[str, Any, str]] = []
urlpatterns = [
    path("trust/controls", ControlsView.as_view(), name="trust-controls"),
    path("trust/claims", ClaimsView.as_view(), name="trust-claims"),
]
