"""Tokens, who I am, and the people of a tenant."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from uuid import UUID

from allauth.account.adapter import get_adapter
from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.tenants.api import ApiRequest, CheckedSerializer
from apps.tenants.context import current
from apps.tenants.refusals import NotFound, NotSignedIn

from . import actions, second_factor
from .devices import device_of
from .models import User
from .people import memberships
from .people_api import routes as people_routes
from .rules import MATRIX, Role
from .sso import demands
from .sso.api import SsoView
from .sso.api import routes as sso_routes


class TokenRequestSerializer(CheckedSerializer):
    email = serializers.EmailField()
    password = serializers.CharField(max_length=1024, trim_whitespace=False)
    tenant = serializers.SlugField(required=False, help_text="The tenant's address; without it, no tenant is opened.")
    otp = serializers.CharField(max_length=40, required=False, help_text="Where the person has a second factor.")


class RefreshSerializer(CheckedSerializer):
    refresh = serializers.CharField(max_length=256)


class SwitchSerializer(CheckedSerializer):
    tenant = serializers.SlugField()


class PairSerializer(serializers.Serializer[Any]):
    access = serializers.CharField()
    refresh = serializers.CharField()
    token_type = serializers.CharField()
    expires_in = serializers.IntegerField(help_text="seconds")


class PublicView(APIView):
    """A view that needs no permission: it asks for the credential in its body, or only names the person."""

    permission_classes: list[Any] = []


class TokenView(PublicView):
    @extend_schema(request=TokenRequestSerializer, responses=PairSerializer, auth=[])
    def post(self, request: Request) -> Response:
        """Exchange an e-mail address and a password for a pair of tokens."""
        asked = TokenRequestSerializer.checked(request)
        user = _authenticate(request, asked["email"], asked["password"])
        amr = _second_factor(user, asked.get("otp", ""))
        tenant = _tenant_of(user, asked["tenant"], amr) if asked.get("tenant") else None
        if tenant is None and not user.is_platform_admin:
            demands.refuse_password(memberships(user.pk))
        made = actions.open_family(user, tenant=tenant, amr=amr, device=device_of(request._request))
        actions.signed_in(user, amr=amr)
        return Response(asdict(made))


def _authenticate(request: Request, email: str, password: str) -> User:
    """The person, or NotSignedIn; the same words for a wrong address and a wrong password. Raises TooMany."""
    user = get_adapter().authenticate(request._request, email=email, password=password)
    if not isinstance(user, User) or not user.is_active:
        raise NotSignedIn("The e-mail address and the password do not match.", code="wrong_credentials")
    return user


def _second_factor(user: User, code: str) -> str:
    """The `amr` that the code brings. Raises NotSignedIn, and records a wrong code; TooMany."""
    try:
        return second_factor.demand(user, code)
    except NotSignedIn:
        if code:
            actions.factor_refused(user, "code")
        raise


def _tenant_of(user: User, slug: str, amr: str) -> UUID:
    """The tenant of this address, where the sign-in brings what it asks for. Raises NotSignedIn, Forbidden."""
    found = next((member for member in memberships(user.pk) if member.tenant.slug == slug), None)
    if found is None:
        raise NotSignedIn("You are no member of that tenant.", code="no_such_tenant")
    demands.check(found, amr=amr.split(), limited_to=None)
    return found.tenant.pk


class RefreshView(PublicView):
    @extend_schema(request=RefreshSerializer, responses=PairSerializer, auth=[])
    def post(self, request: Request) -> Response:
        """Exchange a refresh token for the next pair; each is used once."""
        return Response(
            asdict(actions.rotate(RefreshSerializer.checked(request)["refresh"], device=device_of(request._request)))
        )


class RevokeView(PublicView):
    @extend_schema(request=RefreshSerializer, responses={204: None}, auth=[])
    def post(self, request: Request) -> Response:
        """End the family of a refresh token."""
        actions.revoke(RefreshSerializer.checked(request)["refresh"])
        return Response(status=204)


class SwitchView(PublicView):
    @extend_schema(request=SwitchSerializer, responses=PairSerializer)
    def post(self, request: ApiRequest) -> Response:
        """A pair of tokens for another tenant of mine."""
        actions.check_no_key(request.context.credential)
        user: User = request.user  # type: ignore[assignment]
        tenant = _my_tenant(user, SwitchSerializer.checked(request), request.context.amr)
        acting, device = request.context, device_of(request._request)
        made = actions.open_family(
            user,
            tenant=tenant,
            amr=" ".join(acting.amr),
            auth_time=acting.auth_time,
            device=device,
            parent=request._request.claims.family,  # type: ignore[attr-defined]
        )
        return Response(asdict(made))


def _my_tenant(user: User, asked: dict[str, Any], amr: tuple[str, ...]) -> UUID:
    found = next((member for member in memberships(user.pk) if member.tenant.slug == asked["tenant"]), None)
    if found is None:
        raise NotFound()
    demands.check(found, amr=amr, limited_to=None)
    return found.tenant.pk


class MeView(PublicView):
    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: ApiRequest) -> Response:
        """The person of the token, the tenant it opens, and the tenants they could switch to; a key stays in its own."""
        user, acting = request.user, current()
        mine = memberships(UUID(str(user.pk)))
        if acting.credential == "api_key":
            mine = [member for member in mine if member.tenant_id == acting.tenant]
        return Response(
            {
                "id": str(user.pk),
                "email": user.email,  # type: ignore[union-attr]
                "name": user.name,  # type: ignore[union-attr]
                "is_platform_admin": user.is_platform_admin,  # type: ignore[union-attr]
                "tenant": str(acting.tenant) if acting.tenant else None,
                "member": str(acting.member) if acting.member else None,
                "permissions": sorted(name for name in acting.permissions if acting.allows(name)),
                "credential": acting.credential,
                "tenants": [
                    {"id": str(m.tenant_id), "slug": m.tenant.slug, "name": m.tenant.name, "role": m.role} for m in mine
                ],
            }
        )


class RolesView(APIView):
    """The matrix of tenant roles, from what is enforced."""

    needs = {"get": "members.read"}

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: ApiRequest) -> Response:
        """What each tenant role may do at most."""
        return Response({str(role): sorted(MATRIX[role]) for role in Role})


routes = people_routes + sso_routes
urlpatterns = [
    path("auth/token", TokenView.as_view(), name="token"),
    path("auth/refresh", RefreshView.as_view(), name="refresh"),
    path("auth/revoke", RevokeView.as_view(), name="revoke"),
    path("auth/switch", SwitchView.as_view(), name="switch"),
    path("me", MeView.as_view(), name="me"),
    path("sso", SsoView.as_view(), name="sso"),
    path("roles", RolesView.as_view(), name="roles"),
]
