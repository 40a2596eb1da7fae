"""Checkpoints, proofs, receipts and the export, for integrations and for whoever verifies from outside."""

from __future__ import annotations

from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.tenants.api import ApiRequest, ReadOnlyTenantViewSet
from apps.tenants.refusals import Invalid

from . import proofs, receipts
from .bundle import Bundle, export, stream
from .filters import NAMES, EntryFilter
from .models import Entry, Receipt
from .viewing import viewed, viewed_receipts

CONFLICT = OpenApiResponse(description="The log is empty, damaged, or does not continue what was signed before.")
KEYS = "verifier keys as golang.org/x/mod/sumdb/note has them; compare them with what you were given elsewhere"


class InstanceSerializer(serializers.Serializer[Any]):
    checkpoint = serializers.CharField(help_text="C2SP signed note of the log of all checkpoints")
    origin = serializers.CharField()
    index = serializers.IntegerField(help_text="place of the tenant's checkpoint there; the leaf is its exact text")
    size = serializers.IntegerField()
    proof = serializers.ListField(child=serializers.CharField())
    tlog_proof = serializers.CharField(help_text="the same as c2sp.org/tlog-proof")
    keys = serializers.ListField(child=serializers.CharField(), help_text=KEYS)


class CheckpointSerializer(serializers.Serializer[Any]):
    checkpoint = serializers.CharField(help_text="C2SP signed note (Ed25519), the exact text")
    origin = serializers.CharField()
    size = serializers.IntegerField()
    root = serializers.CharField(help_text="base64 of the RFC 6962 root")  # type: ignore[assignment]
    made_at = serializers.DateTimeField()
    keys = serializers.ListField(child=serializers.CharField(), help_text=KEYS)
    fingerprints = serializers.ListField(child=serializers.CharField(), help_text="SHA-256 of each public key, hex")
    instance = InstanceSerializer(allow_null=True)


class InclusionSerializer(serializers.Serializer[Any]):
    entry = serializers.UUIDField()
    body = serializers.CharField(help_text="base64 of the exact bytes; leaf = SHA256(0x00 ‖ bytes)")
    index = serializers.IntegerField()
    leaf = serializers.CharField()
    size = serializers.IntegerField()
    root = serializers.CharField()  # type: ignore[assignment]
    proof = serializers.ListField(child=serializers.CharField())
    checkpoint = serializers.CharField()
    tlog_proof = serializers.CharField(help_text="the same as c2sp.org/tlog-proof")
    keys = serializers.ListField(child=serializers.CharField(), help_text=KEYS)


class ConsistencySerializer(serializers.Serializer[Any]):
    from_root = serializers.CharField()
    to_root = serializers.CharField()
    to = serializers.IntegerField()
    proof = serializers.ListField(child=serializers.CharField())
    tlog_consistency = serializers.CharField(help_text="`old N` and the hashes, as c2sp.org/tlog-witness has it")
    checkpoint = serializers.CharField()
    keys = serializers.ListField(child=serializers.CharField(), help_text=KEYS)

    def get_fields(self) -> dict[str, Any]:
        """`from` is a word of Python's own."""
        return {"from": serializers.IntegerField(), **super().get_fields()}


class ReceiptSerializer(serializers.ModelSerializer[Receipt]):
    entry = serializers.UUIDField(source="entry_id", read_only=True)
    action = serializers.CharField(source="entry.action", read_only=True)
    target = serializers.UUIDField(source="entry.target_id", read_only=True, allow_null=True)
    time = serializers.DateTimeField(source="entry.time", read_only=True)
    receipt = serializers.CharField(source="note", read_only=True, help_text="signed note over the entry's leaf")

    class Meta:
        model = Receipt
        fields = ["id", "entry", "action", "target", "time", "receipt"]


class CheckpointView(APIView):
    needs = {"get": "audit.read"}

    @extend_schema(responses={200: CheckpointSerializer, 409: CONFLICT})
    def get(self, request: ApiRequest) -> HttpResponseBase:
        """The signed head over everything that is committed now; `Accept: text/plain` gives the note alone."""
        made = proofs.fresh_checkpoint()
        if request._request.headers.get("Accept", "").startswith("text/plain"):
            return HttpResponse(made.note, content_type="text/plain; charset=utf-8")
        return Response(CheckpointSerializer(proofs.checkpoint_json(made)).data)

    def perform_content_negotiation(self, request: Any, force: bool = False) -> Any:
        """Errors are JSON whatever was asked for."""
        return super().perform_content_negotiation(request, force=True)  # type: ignore[misc]


class ProofView(APIView):
    needs = {"get": "audit.read"}

    @extend_schema(
        parameters=[OpenApiParameter("entry", UUID, required=True)],
        responses={200: InclusionSerializer, 409: CONFLICT},
    )
    def get(self, request: ApiRequest) -> Response:
        """That one entry is in the signed log: its bytes, its place, the audit path and the checkpoint; a look, as the log records it."""
        entry = _uuid(request.query_params.get("entry", ""))
        proof = proofs.inclusion(entry).as_json()
        viewed({"entry": entry}, door="proof")
        return Response(proof)


class ConsistencyView(APIView):
    needs = {"get": "audit.read"}

    @extend_schema(
        parameters=[
            OpenApiParameter("from", int, required=True, description="entries that the older log had"),
            OpenApiParameter("to", int, description="entries of the newer; what is signed now when left out"),
        ],
        responses={200: ConsistencySerializer, 409: CONFLICT},
    )
    def get(self, request: ApiRequest) -> Response:
        """That the log of `to` entries continues that of `from` entries, unchanged."""
        old, new = (_size(request, name) for name in ("from", "to"))
        if old is None:
            raise Invalid({"from": ["Give the size of the older log."]})
        return Response(proofs.consistency(old, new))


class ExportView(APIView):
    needs = {"get": "audit.read"}

    @extend_schema(
        parameters=[
            *(OpenApiParameter(name, str) for name in (*NAMES, "entry")),
            OpenApiParameter("private", str, description="1 brings addresses and agents too, to verify them outside"),
        ],
        responses={(200, "application/zip"): OpenApiTypes.BINARY, 409: CONFLICT},
    )
    def get(self, request: ApiRequest) -> HttpResponseBase:
        """A ZIP of the entries that the filters name, with all that `orkestra_verify.py` needs; recorded in the log."""
        return bundle_answer(exported(request.query_params, ZoneInfo(request._request.tenant.timezone)))  # type: ignore[attr-defined]

    def perform_content_negotiation(self, request: Any, force: bool = False) -> Any:
        """Errors are JSON whatever was asked for."""
        return super().perform_content_negotiation(request, force=True)  # type: ignore[misc]


class ReceiptViewSet(ReadOnlyTenantViewSet[Receipt]):
    """Receipts of my own acts; all of the tenant's to those who may read the log."""

    serializer_class = ReceiptSerializer
    needs = {"list": "submissions.read", "retrieve": "submissions.read"}  # every role holds it; a key may not

    @extend_schema(parameters=[OpenApiParameter("target", UUID, description="such as a submission")])
    def list(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """Newest first; where others' acts are among them, a look, as the log records it."""
        answer = super().list(request, *args, **kwargs)
        viewed_receipts([row["id"] for row in answer.data["results"]], {"target": self._target()})
        return answer

    def retrieve(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """One receipt; of somebody else's act a look, as the log records it."""
        answer = super().retrieve(request, *args, **kwargs)
        viewed_receipts([answer.data["id"]], {"entry": answer.data["entry"]})
        return answer

    def rows(self) -> Any:
        rows, target = receipts.visible(), self._target()
        return rows.filter(entry__target_id=target) if target else rows

    def _target(self) -> UUID | None:
        target = self.request.query_params.get("target")
        return _uuid(target, "target") if target else None


def exported(query: Any, zone: ZoneInfo) -> Bundle:
    """The bundle that a query names. Raises Invalid, Conflict."""
    asked = EntryFilter(query, zone=zone)
    if not asked.is_valid():
        raise Invalid({place: [str(text) for text in texts] for place, texts in asked.errors.items()})
    filters = asked.asked
    rows = asked.apply(Entry.objects.all())
    if one := query.get("entry"):
        filters["entry"] = str(_uuid(one))
        rows = rows.filter(pk=filters["entry"])
    return export(rows, filters, private=query.get("private") == "1")


def bundle_answer(bundle: Bundle) -> StreamingHttpResponse:
    """The ZIP as a download."""
    answer = StreamingHttpResponse(stream(bundle), content_type="application/zip")
    answer["Content-Disposition"] = f'attachment; filename="{bundle.name}"'
    answer["Cache-Control"] = "no-store"
    return answer


def _uuid(text: str, name: str = "entry") -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Invalid({name: ["Give an id."]}) from None


def _size(request: ApiRequest, name: str) -> int | None:
    text = request.query_params.get(name)
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise Invalid({name: ["Give a number of entries."]})
    return int(text)


routes: list[tuple[str, Any, str]] = [("audit/receipts", ReceiptViewSet, "audit-receipt")]
urlpatterns = [
    path("audit/checkpoint", CheckpointView.as_view(), name="audit-checkpoint"),
    path("audit/proof", ProofView.as_view(), name="audit-proof"),
    path("audit/consistency", ConsistencyView.as_view(), name="audit-consistency"),
    path("audit/export", ExportView.as_view(), name="audit-export"),
]
