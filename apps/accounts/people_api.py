"""Members, invitations and teams for integrations; the same actions as the pages of settings."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from apps.tenants.api import UUID_PATTERN, CheckedSerializer, ReadOnlyTenantViewSet, TenantViewSet
from apps.tenants.context import require
from apps.tenants.refusals import Invalid

from . import actions
from .models import ApiKey, Invitation, Member, Team
from .rules import PERMISSIONS, Role
from .service_accounts_api import ServiceAccountViewSet, service_account
from .ties import ties_of


class MemberSerializer(serializers.ModelSerializer[Member]):
    name = serializers.CharField(read_only=True)
    email = serializers.EmailField(read_only=True)

    class Meta:
        model = Member
        fields = ["id", "name", "email", "role", "is_active", "joined_at"]


class MemberChangeSerializer(CheckedSerializer):
    role = serializers.ChoiceField(choices=Role.choices, required=False)
    is_active = serializers.BooleanField(required=False)
    hand_to = serializers.UUIDField(
        required=False, help_text="who takes over what depends on a member that is shut out"
    )
    heirs = serializers.DictField(child=serializers.UUIDField(), required=False, help_text="tie -> who takes it over")
    keep_keys = serializers.BooleanField(
        default=False, help_text="whether keys of service accounts live on that a member made who is shut out"
    )


class TieSerializer(serializers.Serializer[Any]):
    key = serializers.CharField()
    title = serializers.CharField()
    needs_heir = serializers.BooleanField()
    blocks = serializers.BooleanField(help_text="nobody can take it over: it is settled elsewhere first")


class InvitationSerializer(serializers.ModelSerializer[Invitation]):
    class Meta:
        model = Invitation
        fields = ["id", "email", "role", "teams", "created_at", "expires_at"]


class InvitationInputSerializer(CheckedSerializer):
    email = serializers.EmailField()
    role = serializers.ChoiceField(choices=Role.choices)
    teams = serializers.ListField(child=serializers.UUIDField(), required=False, max_length=50)


class TeamSerializer(serializers.ModelSerializer[Team]):
    class Meta:
        model = Team
        fields = ["id", "name", "slug"]


class TeamInputSerializer(CheckedSerializer):
    name = serializers.CharField(max_length=200)
    slug = serializers.SlugField(max_length=63)


class TeamChangeSerializer(CheckedSerializer):
    name = serializers.CharField(max_length=200)


class SeatSerializer(CheckedSerializer):
    member = serializers.UUIDField()


class ApiKeySerializer(serializers.ModelSerializer[ApiKey]):
    member = serializers.UUIDField(source="member_id")
    made_by = serializers.UUIDField(source="made_by_id", allow_null=True, help_text="null: an older key")

    class Meta:
        model = ApiKey
        fields = [
            "id", "name", "member", "made_by", "shown", "scopes", "created_at", "expires_at", "last_used_at",
            "last_address",
        ]  # fmt: skip


class NewApiKeySerializer(ApiKeySerializer):
    key = serializers.CharField(help_text="The key itself; it is never shown again.")

    class Meta(ApiKeySerializer.Meta):
        fields = [*ApiKeySerializer.Meta.fields, "key"]


class ApiKeyInputSerializer(CheckedSerializer):
    name = serializers.CharField(max_length=100)
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=list(PERMISSIONS)), max_length=50)
    days = serializers.IntegerField(min_value=1, max_value=365, default=90, help_text="until it ends")
    service_account = serializers.UUIDField(
        required=False, help_text="whom it acts as; without it, the person who makes it"
    )


class ApiKeyViewSet(TenantViewSet[ApiKey]):
    """Keys that are alive; each acts as the member who made it or a service account, within its scopes."""

    serializer_class = ApiKeySerializer
    needs = dict.fromkeys(["list", "retrieve", "create", "destroy"], "api_keys.write")

    def rows(self) -> Any:
        return ApiKey.objects.alive()

    @extend_schema(request=ApiKeyInputSerializer, responses={201: NewApiKeySerializer})
    def create(self, request: Request) -> Response:
        """Make a key. Needs a sign-in within the last five minutes; the key is in this answer and nowhere else."""
        asked = ApiKeyInputSerializer.checked(request)
        account = asked.pop("service_account", None)
        if account is not None:
            asked["account"] = service_account(account)
        made, text = actions.create_api_key(by=self.request.member, **asked)
        return Response({**ApiKeySerializer(made).data, "key": text}, status=201)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """End a key at once."""
        actions.revoke_api_key(self.get_object(), by=self.request.member)
        return Response(status=204)


class MemberViewSet(ReadOnlyTenantViewSet[Member]):
    """The people of the tenant."""

    serializer_class = MemberSerializer
    needs = {
        "list": "members.read", "retrieve": "members.read", "partial_update": "members.write",
        "destroy": "members.write", "ties": "members.write",
    }  # fmt: skip

    def rows(self) -> Any:
        return Member.objects.filter(is_service=False).select_related("user", "tenant")

    @extend_schema(request=MemberChangeSerializer, responses=MemberSerializer)
    @transaction.atomic
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change a member's role, shut them out or let them in again; all that is asked, or nothing of it."""
        member, asked = self.get_object(), MemberChangeSerializer.checked(request)
        if "role" in asked:
            member = actions.change_role(member, asked["role"], by=self.request.member)
        if "is_active" in asked:
            if asked["is_active"]:
                member = actions.reactivate(member, by=self.request.member)
            else:
                member = self._shut_out(member, asked.get("hand_to"), asked.get("heirs", {}), asked["keep_keys"])
        return Response(MemberSerializer(member).data)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """Shut a member out; what they did stays theirs. 409 lists what somebody must take over: name them in hand_to."""
        self._shut_out(self.get_object(), request.query_params.get("hand_to"), {}, False)
        return Response(status=204)

    @extend_schema(responses=TieSerializer(many=True))
    @action(detail=True, methods=["get"], pagination_class=None)
    def ties(self, request: Request, pk: str) -> Response:
        """What depends on this member: open tasks, forms that only they own, teams in which they are the last, keys, invitations."""
        return Response(TieSerializer(ties_of(self.get_object()), many=True).data)

    def _shut_out(self, member: Member, heir: Any, heirs: dict[str, Any], keep_keys: bool) -> Member:
        return actions.deactivate(
            member,
            by=self.request.member,
            heir=_member(heir) if heir else None,
            heirs={tie: _member(pk) for tie, pk in heirs.items()},
            keep_keys=keep_keys,
        )


def _member(pk: Any) -> Member:
    """An active member by a name in what was sent. Raises Invalid."""
    try:
        found = Member.objects.people().select_related("user", "tenant").filter(pk=UUID(str(pk))).first()
    except ValueError:
        found = None
    if found is None:
        raise Invalid({"hand_to": [_("There is nobody with this id here.")]})
    return found


class InvitationViewSet(TenantViewSet[Invitation]):
    """Open invitations."""

    serializer_class = InvitationSerializer
    needs = dict.fromkeys(["list", "retrieve", "create", "resend", "destroy"], "members.write")

    def rows(self) -> Any:
        return Invitation.objects.open()

    @extend_schema(request=InvitationInputSerializer, responses={201: InvitationSerializer})
    def create(self, request: Request) -> Response:
        """Mail a link to an address; whoever holds it becomes a member with this role."""
        made = actions.invite(by=self.request.member, **InvitationInputSerializer.checked(request))
        return Response(InvitationSerializer(made).data, status=201)

    @extend_schema(request=None, responses={201: InvitationSerializer})
    @action(detail=True, methods=["post"])
    def resend(self, request: Request, pk: str) -> Response:
        """Mail a new link; the one before ends."""
        made = actions.resend_invitation(self.get_object(), by=self.request.member)
        return Response(InvitationSerializer(made).data, status=201)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """Withdraw an invitation."""
        actions.withdraw_invitation(self.get_object(), by=self.request.member)
        return Response(status=204)


class TeamViewSet(TenantViewSet[Team]):
    """The teams of the tenant."""

    serializer_class = TeamSerializer
    needs = {
        "list": "members.read", "retrieve": "members.read", "create": "teams.write", "partial_update": "teams.write",
        "members": "members.read", "leave": "teams.write",
    }  # fmt: skip

    def rows(self) -> Any:
        return Team.objects.all()

    @extend_schema(request=TeamInputSerializer, responses={201: TeamSerializer})
    def create(self, request: Request) -> Response:
        """An empty team."""
        made = actions.create_team(by=self.request.member, **TeamInputSerializer.checked(request))
        return Response(TeamSerializer(made).data, status=201)

    @extend_schema(request=TeamChangeSerializer, responses=TeamSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Another name."""
        asked = TeamChangeSerializer.checked(request)
        return Response(TeamSerializer(actions.rename_team(self.get_object(), by=self.request.member, **asked)).data)

    @extend_schema(methods=["get"], responses=MemberSerializer(many=True))
    @extend_schema(methods=["post"], request=SeatSerializer, responses={201: MemberSerializer})
    @action(detail=True, methods=["get", "post"])
    def members(self, request: Request, pk: str) -> Response:
        """Who is in the team; POST puts a member in."""
        team = self.get_object()
        if request.method == "GET":
            rows: Any = self.paginate_queryset(Member.objects.in_team(team.pk).select_related("user"))  # type: ignore[arg-type]
            return self.get_paginated_response(MemberSerializer(rows, many=True).data)
        require("teams.write")
        member = get_object_or_404(Member.objects.people(), pk=SeatSerializer.checked(request)["member"])
        actions.join_team(team, member, by=self.request.member)
        return Response(MemberSerializer(member).data, status=201)

    @extend_schema(responses={204: None})
    @action(detail=True, methods=["delete"], url_path=rf"members/(?P<member>{UUID_PATTERN})")
    def leave(self, request: Request, pk: str, member: str) -> Response:
        """Take a member out of the team."""
        team = self.get_object()
        found = get_object_or_404(Member.objects.in_team(team.pk), pk=member)
        actions.leave_team(team, found, by=self.request.member)
        return Response(status=204)


routes: list[tuple[str, Any, str]] = [
    ("members", MemberViewSet, "member"),
    ("service-accounts", ServiceAccountViewSet, "service-account"),
    ("api-keys", ApiKeyViewSet, "api-key"),
    ("invitations", InvitationViewSet, "invitation"),
    ("teams", TeamViewSet, "team"),
]
