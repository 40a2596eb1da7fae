"""The log for integrations: read it, filter it, verify it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from zoneinfo import ZoneInfo

from django.http import QueryDict
from django.shortcuts import get_object_or_404
from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param
from rest_framework.views import APIView

from apps.tenants.api import ApiRequest, CursorPagination, ReadOnlyTenantViewSet
from apps.tenants.context import current_tenant
from apps.tenants.refusals import Invalid

from . import acts_api, asked, catalogue, proofs_api
from .filters import NAMES, EntryFilter, page_of
from .models import Entry, Verified
from .reconcile import last_found, last_reconciliation
from .sealer import seal
from .viewing import viewed


class EntrySerializer(serializers.ModelSerializer[Entry]):
    title = serializers.CharField(read_only=True)
    facts = serializers.DictField(read_only=True)
    on_behalf_of = serializers.UUIDField(
        read_only=True, allow_null=True, help_text="the member whose place the actor took; null where nobody's"
    )
    seq = serializers.SerializerMethodField(help_text="place in the chain; null for about a second after the act")

    class Meta:
        model = Entry
        fields = [
            "id", "seq", "time", "action", "title", "actor_type", "actor_id", "on_behalf_of",
            "target_type", "target_id", "target_label", "outcome", "request_id", "facts",
        ]  # fmt: skip

    def get_seq(self, entry: Entry) -> int | None:
        found = next(iter(entry.seals.all()), None)  # type: ignore[attr-defined]
        return found.seq if found else None


class NewestFirst(CursorPagination):
    """The same pages as the screen's: a cursor is a place in the order, never a number of rows."""

    def paginate_queryset(self, queryset: Any, request: Any, view: Any = None) -> list[Any]:
        self.base_url: str = request.build_absolute_uri()
        side, _dot, place = request.query_params.get(self.cursor_query_param, "").partition(".")
        query = {side: place} if side in {"before", "after"} else {}
        size = self.get_page_size(request) or self.page_size
        self.shown = queryset.page(query, size) if isinstance(queryset, EntryFilter) else page_of(queryset, query, size)
        return list(self.shown.rows)

    def get_next_link(self) -> str | None:
        return self._link(self.shown.older)

    def get_previous_link(self) -> str | None:
        return self._link(self.shown.newer)

    def _link(self, query: str) -> str | None:
        for side, place in QueryDict(query).items():
            return replace_query_param(str(self.base_url), self.cursor_query_param, f"{side}.{place}")
        return None


CHOICES = {"actor_type": list(catalogue.ACTORS), "through": list(catalogue.WAYS), "outcome": list(catalogue.OUTCOMES)}
FILTERS = [OpenApiParameter(name, str, enum=CHOICES.get(name)) for name in NAMES]


class EntryViewSet(ReadOnlyTenantViewSet[Entry]):
    """Every act of the tenant, newest first."""

    serializer_class = EntrySerializer
    pagination_class = NewestFirst
    needs = {"list": "audit.read", "retrieve": "audit.read"}

    @extend_schema(parameters=FILTERS)
    def list(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """Entries that the filters name; dates are days in the tenant's time zone."""
        seal(current_tenant())
        answer = super().list(request, *args, **kwargs)
        viewed(self._asked().asked, door="api")
        return answer

    def retrieve(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """One entry, by its id."""
        answer = super().retrieve(request, *args, **kwargs)
        viewed({"entry": answer.data["id"]}, door="api")
        return answer

    def filter_queryset(self, queryset: Any) -> Any:
        """Nothing more: the filters are what is paged."""
        return queryset

    def rows(self) -> Any:
        if self.action != "list":
            return Entry.objects.kept().prefetch_related("seals")
        asked = self._asked()
        if not asked.is_valid():
            raise Invalid({place: [str(text) for text in texts] for place, texts in asked.errors.items()})
        return asked

    def _asked(self) -> EntryFilter:
        return EntryFilter(self.request.query_params, zone=ZoneInfo(self.request.tenant.timezone))


class UntoldSerializer(serializers.Serializer[Any]):
    kind = serializers.CharField(help_text="what the rows are, as room and model")
    how = serializers.CharField(
        help_text="untold: no entry says so; gone: an entry tells of it; otherwise: the newest says otherwise; changed: not what its hash or its entry says; unreadable: no entry is legible"
    )
    acts = serializers.ListField(child=serializers.CharField())
    count = serializers.IntegerField()
    ids = serializers.ListField(child=serializers.CharField(), help_text="the first few")


class VerificationSerializer(serializers.Serializer[Any]):
    tenant = serializers.UUIDField()
    whole = serializers.BooleanField()
    sealed = serializers.IntegerField()
    unsealed = serializers.IntegerField()
    head = serializers.CharField(help_text="hex of the chain's head")
    first_bad = serializers.IntegerField(allow_null=True)
    reason = serializers.CharField()
    kind = serializers.CharField(help_text="kind of damage, such as gap, entry_changed or tail_cut; empty when whole")
    signed = serializers.IntegerField(help_text="size of the newest checkpoint")
    since = serializers.IntegerField(help_text="seq at which the walk began")
    until = serializers.IntegerField(help_text="seq before which it ended")
    pruned = serializers.IntegerField(help_text="places whose body is gone by retention, as the log itself says")
    at = serializers.DateTimeField()
    unlogged = serializers.IntegerField(required=False, help_text="stored rows that no entry tells of")
    unlogged_kinds = UntoldSerializer(many=True, required=False, help_text="each kind of them")
    unlogged_first = serializers.CharField(required=False, help_text="the first of them; empty when there is none")


class LastSerializer(serializers.ModelSerializer[Verified]):
    full_at = serializers.DateTimeField(allow_null=True, help_text="when it was last walked from its first entry on")
    asked_at = serializers.DateTimeField(
        allow_null=True, help_text="since when a job is to walk it, because somebody asked"
    )

    class Meta:
        model = Verified
        fields = ["tenant", "whole", "sealed", "until", "first_bad", "kind", "reason", "at", "full_at", "asked_at"]


class LaterSerializer(serializers.Serializer[Any]):
    whole = serializers.BooleanField(allow_null=True, help_text="null: not known until the job has walked the log")
    last = LastSerializer(help_text="what the last verification found, before the one that was asked for now")


class PlatformSerializer(serializers.Serializer[Any]):
    whole = serializers.BooleanField(
        allow_null=True, help_text="of all that were walked; null while whole ones are left"
    )
    tenants = VerificationSerializer(many=True)
    left = serializers.IntegerField(help_text="logs that a job walks: long ones, and what nobody could wait for")


class PlatformLastSerializer(LastSerializer):
    slug = serializers.CharField(source="tenant.slug")

    class Meta(LastSerializer.Meta):
        fields = ["slug", *LastSerializer.Meta.fields]


PAGE_OF_LAST = {
    "next": serializers.URLField(allow_null=True),
    "previous": serializers.URLField(allow_null=True),
    "results": PlatformLastSerializer(many=True),
}


class VerifyView(APIView):
    needs = {"get": "audit.read", "post": "audit.read"}

    @extend_schema(responses=LastSerializer)
    def get(self, request: ApiRequest) -> Response:
        """What the last verification of this tenant's log found; nothing is walked. 404 when there was none yet."""
        return Response(LastSerializer(get_object_or_404(Verified.objects.all())).data)

    @extend_schema(request=None, responses={200: VerificationSerializer, 202: LaterSerializer})
    def post(self, request: ApiRequest) -> Response:
        """Walk this tenant's whole chain now, and look for acts that no entry tells of; 202 when it is long and a job does it."""
        found, compared = asked.verify_now(), last_reconciliation()
        if found is None:
            return Response(LaterSerializer({"whole": None, "last": Verified.objects.get()}).data, HTTPStatus.ACCEPTED)
        more: dict[str, Any] = {"unlogged": compared.missing, "unlogged_first": compared.reason} if compared else {}
        if compared and not compared.whole:
            more["unlogged_kinds"] = [one.facts() for one in last_found()]
        return Response(found.as_json() | more)


class PlatformVerifyView(APIView):
    needs = {"get": "platform.read", "post": "platform.read"}

    @extend_schema(
        parameters=[OpenApiParameter("whole", bool, description="only those that were found so")],
        responses=inline_serializer("PlatformVerifications", PAGE_OF_LAST),
    )
    def get(self, request: ApiRequest) -> Response:
        """What the last verification of every log found; nothing is walked. For Super Admins."""
        rows, only = asked.last_verified(), request.query_params.get("whole", "")
        if only:
            rows = rows.filter(whole=serializers.BooleanField().run_validation(only))
        pages = CursorPagination()
        found = pages.paginate_queryset(rows, request)
        return pages.get_paginated_response(PlatformLastSerializer(found, many=True).data)

    @extend_schema(request=None, responses={200: PlatformSerializer, 202: PlatformSerializer})
    def post(self, request: ApiRequest) -> Response:
        """Walk every tenant's whole chain now; for Super Admins. 202 when a job walks some of them."""
        walked, left = asked.verify_everywhere()
        whole = all(result.whole for _slug, result in walked)
        found = [result.as_json() | {"slug": slug} for slug, result in walked]
        said = {"whole": None if whole and left else whole, "tenants": found, "left": left}
        return Response(said, HTTPStatus.ACCEPTED if left else HTTPStatus.OK)


routes: list[tuple[str, Any, str]] = [("audit/entries", EntryViewSet, "audit-entry"), *proofs_api.routes]
urlpatterns = [
    path("audit/verify", VerifyView.as_view(), name="audit-verify"),
    path("platform/audit/verify", PlatformVerifyView.as_view(), name="platform-audit-verify"),
    *acts_api.urlpatterns,
    *proofs_api.urlpatterns,
]
