"""Service accounts for integrations; the same actions as the page of API keys."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.tenants.api import CheckedSerializer, TenantViewSet
from apps.tenants.refusals import Invalid

from . import actions
from .models import Member
from .rules import Role

ROLES = [(role.value, role.label) for role in (Role.MEMBER, Role.VIEWER)]


class ServiceAccountSerializer(serializers.ModelSerializer[Member]):
    name = serializers.CharField(source="user.name")
    created_at = serializers.DateTimeField(source="joined_at")

    class Meta:
        model = Member
        fields = ["id", "name", "role", "is_active", "created_at"]


class ServiceAccountInputSerializer(CheckedSerializer):
    name = serializers.CharField(max_length=100)
    role = serializers.ChoiceField(choices=ROLES)


class ServiceAccountChangeSerializer(CheckedSerializer):
    role = serializers.ChoiceField(choices=ROLES, required=False)
    is_active = serializers.BooleanField(required=False, help_text="off ends its keys at once; on brings none back")


class ServiceAccountViewSet(TenantViewSet[Member]):
    """Accounts without a person: they act by API keys alone, never sign in, never decide and take no seat."""

    serializer_class = ServiceAccountSerializer
    needs = dict.fromkeys(["list", "retrieve", "create", "partial_update", "destroy"], "api_keys.write")

    def rows(self) -> Any:
        return Member.objects.filter(is_service=True).select_related("user")

    @extend_schema(request=ServiceAccountInputSerializer, responses={201: ServiceAccountSerializer})
    def create(self, request: Request) -> Response:
        """Make an account; it opens nothing until a key is made for it. Needs a fresh sign-in."""
        asked = ServiceAccountInputSerializer.checked(request)
        made = actions.create_service_account(by=self.request.member, **asked)
        return Response(ServiceAccountSerializer(made).data, status=201)

    @extend_schema(request=ServiceAccountChangeSerializer, responses=ServiceAccountSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Another role, or off and on."""
        asked = ServiceAccountChangeSerializer.checked(request)
        made = actions.change_service_account(self.get_object(), by=self.request.member, **asked)
        return Response(ServiceAccountSerializer(made).data)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """Switch it off and end its keys; its name stays, since the log names it."""
        actions.change_service_account(self.get_object(), is_active=False, by=self.request.member)
        return Response(status=204)


def service_account(pk: UUID) -> Member:
    """An account of the tenant in force by its id. Raises Invalid."""
    found = Member.objects.filter(is_service=True, pk=pk).select_related("user").first()
    if found is None:
        raise Invalid({"service_account": [_("There is no such service account, or it is off.")]})
    return found
