"""What is recorded, for integrations: every kind of act with its meaning and its facts."""

from __future__ import annotations

from typing import Any

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.tenants.api import ApiRequest

from .catalogue import listed


class ActSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(help_text="the `action` of an entry")
    title = serializers.CharField()
    meaning = serializers.CharField()
    fields = serializers.ListField(child=serializers.CharField(), help_text="names that its `facts` may have")  # type: ignore[assignment]
    since = serializers.CharField(help_text="the first version that records it")


class ActsSerializer(serializers.Serializer[Any]):
    results = ActSerializer(many=True)


class ActsView(APIView):
    needs = {"get": "audit.read"}

    @extend_schema(responses=ActsSerializer)
    def get(self, request: ApiRequest) -> Response:
        """Every kind of act that may be recorded, by name; made from the code that records it."""
        rows = [
            {
                "name": name,
                "title": str(act.title),
                "meaning": str(act.meaning),
                "fields": act.fields,
                "since": act.since,
            }
            for name, act in listed()
        ]
        return Response({"results": rows})


urlpatterns = [path("audit/actions", ActsView.as_view(), name="audit-actions")]
