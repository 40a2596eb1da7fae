"""Single sign-on for integrations: the same actions, permissions and fresh sign-in as Settings → Single sign-on."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.tenants.api import ApiRequest, CheckedSerializer, TenantViewSet
from apps.tenants.refusals import Invalid

from ..models import Member
from ..rules import Role
from . import actions, txt
from .inputs import JOINING
from .models import FactorTrust, Kind, SsoConnection, SsoDomain
from .provider import callback_url


class ProviderSerializer(serializers.ModelSerializer[SsoConnection]):
    callback = serializers.SerializerMethodField(help_text="the address to register with the provider")

    class Meta:
        model = SsoConnection
        fields = ["id", "kind", "name", "issuer", "client_id", "default_role", "factor_trust", "callback", "created_at"]

    def get_callback(self, row: SsoConnection) -> str:
        return callback_url(row)


class ProviderInputSerializer(CheckedSerializer):
    kind = serializers.ChoiceField(choices=Kind.choices, default=Kind.OIDC)
    name = serializers.CharField(max_length=100)
    issuer = serializers.URLField(max_length=500, required=False, help_text="not for Google")
    client_id = serializers.CharField(max_length=255)
    client_secret = serializers.CharField(max_length=500, write_only=True, help_text="never shown again")
    default_role = serializers.ChoiceField(choices=JOINING, default=Role.VIEWER)
    factor_trust = serializers.ChoiceField(choices=FactorTrust.choices, default=FactorTrust.NEVER)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["kind"] == Kind.OIDC and not attrs.get("issuer"):
            raise serializers.ValidationError({"issuer": ["Write the issuer of your provider."]})
        return {"issuer": "", **attrs}


class ProviderChangeSerializer(CheckedSerializer):
    name = serializers.CharField(max_length=100, required=False)
    client_id = serializers.CharField(max_length=255, required=False)
    client_secret = serializers.CharField(max_length=500, required=False, write_only=True)
    default_role = serializers.ChoiceField(choices=JOINING, required=False)
    factor_trust = serializers.ChoiceField(choices=FactorTrust.choices, required=False)


class DomainSerializer(serializers.ModelSerializer[SsoDomain]):
    record = serializers.SerializerMethodField(help_text="where the DNS TXT record stands that proves it")
    value = serializers.SerializerMethodField("get_proof", help_text="what that record says")

    class Meta:
        model = SsoDomain
        fields = ["id", "domain", "record", "value", "verified_at", "checked_at", "misses", "created_at"]
        extra_kwargs = {
            "misses": {"help_text": "looks in a row, up to 3, that did not find the record of a verified one"}
        }

    def get_record(self, row: SsoDomain) -> str:
        return txt.place(row.domain)

    def get_proof(self, row: SsoDomain) -> str:
        return txt.proof(row.challenge)


class DomainInputSerializer(CheckedSerializer):
    domain = serializers.CharField(max_length=253)


class SsoSerializer(CheckedSerializer):
    only = serializers.BooleanField(help_text="members of proven domains come by the provider alone")
    break_glass = serializers.ListField(
        child=serializers.UUIDField(), max_length=50, help_text="owners who may get in without it"
    )


class SsoView(APIView):
    """Whether anything but the provider lets members of proven domains in."""

    needs = {"get": "settings.read", "patch": "members.write"}

    @extend_schema(responses=SsoSerializer)
    def get(self, request: ApiRequest) -> Response:
        """How it stands."""
        return Response(_standing(request.tenant.is_sso_only))

    @extend_schema(request=SsoSerializer, responses=SsoSerializer)
    def patch(self, request: ApiRequest) -> Response:
        """Say both at once: only the provider or not, and which owners may get past it. Needs a fresh sign-in."""
        actions.may_change()
        asked = SsoSerializer.checked(request)
        owners = Member.objects.people().filter(role=Role.OWNER, pk__in=asked["break_glass"]).select_related("user")
        if len(owners) != len(set(asked["break_glass"])):
            raise Invalid({"break_glass": ["Each of these must be an active owner."]})
        actions.set_sso_only(request.tenant, on=asked["only"], break_glass=list(owners), by=request.member)
        return Response(_standing(asked["only"]))


def _standing(only: bool) -> dict[str, Any]:
    chosen: list[UUID] = list(Member.objects.active().filter(is_break_glass=True).values_list("pk", flat=True))
    return {"only": only, "break_glass": [str(pk) for pk in chosen]}


NEEDS = {"list": "settings.read", "retrieve": "settings.read"} | dict.fromkeys(
    ["create", "partial_update", "destroy", "check"], "members.write"
)


class ProviderViewSet(TenantViewSet[SsoConnection]):
    """Identity providers that people can come by; their secrets are never shown."""

    serializer_class = ProviderSerializer
    needs = NEEDS

    def rows(self) -> Any:
        return SsoConnection.objects.active()

    @extend_schema(request=ProviderInputSerializer, responses={201: ProviderSerializer})
    def create(self, request: Request) -> Response:
        """Add a provider, after asking it where its doors are. Needs a fresh sign-in."""
        actions.may_change()
        made = actions.add_connection(by=self.request.member, **ProviderInputSerializer.checked(request))
        return Response(ProviderSerializer(made).data, status=201)

    @extend_schema(request=ProviderChangeSerializer, responses=ProviderSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change a provider; its issuer stays. Needs a fresh sign-in."""
        actions.may_change()
        found, asked = self.get_object(), ProviderChangeSerializer.checked(request)
        names = ("name", "client_id", "default_role", "factor_trust")
        values = {name: getattr(found, name) for name in names} | {"client_secret": ""} | asked
        return Response(ProviderSerializer(actions.change_connection(found, by=self.request.member, **values)).data)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """Close its door for good; whoever it let in is out. Needs a fresh sign-in."""
        actions.may_change()
        actions.remove_connection(self.get_object(), by=self.request.member)
        return Response(status=204)


class DomainViewSet(TenantViewSet[SsoDomain]):
    """Mail domains; one counts once its DNS holds the record."""

    serializer_class = DomainSerializer
    needs = NEEDS

    def rows(self) -> Any:
        return SsoDomain.objects.all()

    @extend_schema(request=DomainInputSerializer, responses={201: DomainSerializer})
    def create(self, request: Request) -> Response:
        """Name a domain that is to be proven. Needs a fresh sign-in."""
        actions.may_change()
        made = actions.add_domain(by=self.request.member, **DomainInputSerializer.checked(request))
        return Response(DomainSerializer(made).data, status=201)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """Take a domain out. Needs a fresh sign-in."""
        actions.may_change()
        actions.remove_domain(self.get_object(), by=self.request.member)
        return Response(status=204)

    @extend_schema(request=None, responses=DomainSerializer)
    @action(detail=True, methods=["post"])
    def check(self, request: Request, pk: str) -> Response:
        """Look into its DNS now. Needs a fresh sign-in."""
        actions.may_change()
        found = self.get_object()
        actions.check_domain(found)
        found.refresh_from_db()
        return Response(DomainSerializer(found).data)


routes: list[tuple[str, Any, str]] = [
    ("sso/providers", ProviderViewSet, "sso-provider"),
    ("sso/domains", DomainViewSet, "sso-domain"),
]
