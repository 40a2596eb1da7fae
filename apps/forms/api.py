"""Forms, submissions, files and tasks for integrations; the same actions as the pages."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import FileResponse
from django.shortcuts import get_object_or_404
from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.models import Member
from apps.approvals import actions as approvals
from apps.approvals.models import Assignment, AssignmentState
from apps.audit.api import EntrySerializer, NewestFirst
from apps.audit.models import Entry
from apps.audit.viewing import viewed
from apps.tenants.api import UUID_PATTERN, ApiRequest, CursorPagination, ReadOnlyTenantViewSet, TenantViewSet
from apps.tenants.context import require
from apps.tenants.ids import id_in

from . import actions
from .access import Look, explained, look
from .actions.deleting import delete_form, discard_draft
from .actions.submissions import submit_new
from .models import Attachment, Form, Grant, Submission
from .serializers import (
    AttachmentInputSerializer,
    AttachmentSerializer,
    DecisionInputSerializer,
    DecisionSerializer,
    DraftInputSerializer,
    ExplainedSerializer,
    FormChangeSerializer,
    FormInputSerializer,
    FormSerializer,
    FormVersionSerializer,
    GrantInputSerializer,
    GrantSerializer,
    SubmissionInputSerializer,
    SubmissionSerializer,
    TaskSerializer,
    UnownedSerializer,
)
from .views.reviewing import file_answer


class FormViewSet(TenantViewSet[Form]):
    """Forms that I may fill or work on."""

    serializer_class = FormSerializer
    needs = {
        "list": "forms.read", "retrieve": "forms.read", "create": "forms.create", "partial_update": "forms.edit",
        "publish": "forms.edit", "versions": "forms.read", "access": "forms.read", "explain": "forms.read", "unowned": "settings.write", "take": "settings.write", "revoke": "forms.edit",
        "destroy": "forms.edit",
        "audit": "forms.read", "submissions": "forms.read",
    }  # fmt: skip

    def rows(self) -> Any:
        """Without the live version's own JSON: a list shows its number, and a process reads its questions once."""
        rows = Form.objects.visible_to(self.request.member).defer("live_version__schema", "live_version__ui")
        return rows.select_related("live_version")

    def look(self) -> Look:
        """The form of the address, and what I may do there."""
        rows = Form.objects.defer("live_version__schema", "live_version__ui").select_related(
            "live_version__path_version"
        )
        return look(self.request.member, rows, pk=id_in(self.kwargs["pk"]))

    def get_object(self) -> Form:
        return self.look().form

    @extend_schema(request=FormInputSerializer, responses={201: FormSerializer})
    def create(self, request: Request) -> Response:
        """A form with its draft; publish it to let people fill it."""
        made = actions.create_form(by=self.request.member, **FormInputSerializer.checked(request))
        return Response(FormSerializer(made).data, status=201)

    @extend_schema(request=FormChangeSerializer, responses=FormSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change the draft; published versions stay as they are."""
        form = self.get_object()
        changed = actions.update_form(form, by=self.request.member, **FormChangeSerializer.checked(request))
        return Response(FormSerializer(changed).data)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """Delete a form that was never published."""
        delete_form(self.get_object(), by=self.request.member)
        return Response(status=204)

    @extend_schema(request=None, responses={201: FormVersionSerializer})
    @action(detail=True, methods=["post"])
    def publish(self, request: Request, pk: str) -> Response:
        """Freeze the draft and its path as the next version."""
        made = actions.publish(self.get_object(), by=self.request.member)
        return Response(FormVersionSerializer(made).data, status=201)

    @extend_schema(responses=FormVersionSerializer(many=True))
    @action(detail=True, methods=["get"])
    def versions(self, request: Request, pk: str) -> Response:
        """Published versions, newest first."""
        return self._page(self.get_object().versions.select_related("path_version"), FormVersionSerializer)

    @extend_schema(methods=["get"], responses=GrantSerializer(many=True))
    @extend_schema(methods=["post"], request=GrantInputSerializer, responses={201: GrantSerializer})
    @action(detail=True, methods=["get", "post"])
    def access(self, request: Request, pk: str) -> Response:
        """Who holds which role on the form; POST grants one."""
        seen = self.look()
        seen.demand("manage")
        if request.method == "GET":
            return self._page(seen.form.grants.all(), GrantSerializer)
        made = actions.grant_access(seen.form, by=self.request.member, **GrantInputSerializer.checked(request))
        return Response(GrantSerializer(made).data, status=201)

    @extend_schema(responses={204: None})
    @action(detail=True, methods=["delete"], url_path=rf"access/(?P<grant>{UUID_PATTERN})")
    def revoke(self, request: Request, pk: str, grant: str) -> Response:
        """Take a grant back."""
        seen = self.look()
        seen.demand("manage")
        actions.revoke_access(get_object_or_404(Grant, form=seen.form, pk=grant), by=self.request.member)
        return Response(status=204)

    @extend_schema(parameters=[OpenApiParameter("member", UUID, required=True)], responses=ExplainedSerializer)
    @action(detail=True, methods=["get"], url_path="access/explain")
    def explain(self, request: Request, pk: str) -> Response:
        """Why a member may do what they may do here: the grants that match them, within the ceiling of their role."""
        seen = self.look()
        seen.demand("manage")
        require("members.read")
        member = get_object_or_404(
            Member.objects.select_related("user", "tenant"), pk=id_in(self.request.query_params.get("member", ""))
        )
        return Response(ExplainedSerializer(explained(seen.form, member)).data)

    @extend_schema(responses=UnownedSerializer(many=True))
    @action(detail=False, methods=["get"])
    def unowned(self, request: Request) -> Response:
        """Forms that nobody who can sign in may manage."""
        return self._page(actions.unowned(), UnownedSerializer)

    @extend_schema(request=None, responses={201: GrantSerializer})
    @action(detail=True, methods=["post"])
    def take(self, request: Request, pk: str) -> Response:
        """Take ownership of a form that has none. Needs a sign-in within the last five minutes; owners are told."""
        found = get_object_or_404(Form, pk=id_in(pk))
        return Response(GrantSerializer(actions.take_ownership(found, by=self.request.member)).data, status=201)

    @extend_schema(responses=EntrySerializer(many=True))
    @action(detail=True, methods=["get"])
    def audit(self, request: Request, pk: str) -> Response:
        """What was done to this form, newest first."""
        seen = self.look()
        seen.demand_trail()
        answer = self._page(Entry.objects.about(seen.form), EntrySerializer, NewestFirst())
        viewed({"target": seen.form.pk}, door="trail")
        return answer

    @extend_schema(methods=["get"], responses=SubmissionSerializer(many=True))
    @extend_schema(methods=["post"], request=SubmissionInputSerializer, responses={201: SubmissionSerializer})
    @action(detail=True, methods=["get", "post"])
    def submissions(self, request: Request, pk: str) -> Response:
        """Submissions of the form that I may see; POST sends one, or keeps it as a draft."""
        form = self.get_object()
        if request.method == "GET":
            require("submissions.read")
            rows = Submission.objects.visible_to(self.request.member).filter(form=form).with_all()
            return self._page(rows, SubmissionSerializer)
        asked = SubmissionInputSerializer.checked(request)
        if asked["draft"]:
            made = actions.start_draft(form, by=self.request.member, data=asked["data"])
        else:
            made = submit_new(form, data=asked["data"], by=self.request.member)
        return Response(SubmissionSerializer(made).data, status=201)

    def _page(self, rows: Any, serializer: Any, paginator: CursorPagination | None = None) -> Response:
        pages = paginator or CursorPagination()
        found: Any = pages.paginate_queryset(rows, self.request, view=self)
        return pages.get_paginated_response(serializer(found, many=True).data)


class SubmissionViewSet(ReadOnlyTenantViewSet[Submission]):
    """Submissions that I may see."""

    serializer_class = SubmissionSerializer
    needs = dict.fromkeys(
        ["list", "retrieve", "partial_update", "destroy", "submit", "withdraw", "attachments"], "submissions.read"
    )

    def rows(self) -> Any:
        rows = Submission.objects.visible_to(self.request.member).with_all()
        return rows if self.action == "list" else rows.select_related("form_version__path_version")

    @extend_schema(request=DraftInputSerializer, responses=SubmissionSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Replace the answers of a draft; files stay."""
        asked = DraftInputSerializer.checked(request)
        actions.save_draft(self.get_object(), data=asked.get("data", {}), by=self.request.member)
        return Response(SubmissionSerializer(self.get_object()).data)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """Delete a draft of one's own that was never sent."""
        discard_draft(self.get_object(), by=self.request.member)
        return Response(status=204)

    @extend_schema(request=None, responses=SubmissionSerializer)
    @action(detail=True, methods=["post"])
    def submit(self, request: Request, pk: str) -> Response:
        """Send a draft, or send again after changes were asked for."""
        actions.submit(self.get_object(), by=self.request.member)
        return Response(SubmissionSerializer(self.get_object()).data)

    @extend_schema(request=None, responses=SubmissionSerializer)
    @action(detail=True, methods=["post"])
    def withdraw(self, request: Request, pk: str) -> Response:
        """Take an open submission back."""
        actions.withdraw(self.get_object(), by=self.request.member)
        return Response(SubmissionSerializer(self.get_object()).data)

    @extend_schema(methods=["get"], responses=AttachmentSerializer(many=True))
    @extend_schema(
        methods=["post"],
        request={"multipart/form-data": AttachmentInputSerializer},
        responses={201: AttachmentSerializer},
    )
    @action(detail=True, methods=["get", "post"])
    def attachments(self, request: Request, pk: str) -> Response:
        """Files of the submission; POST (multipart: field, file) attaches one to a draft."""
        found = self.get_object()
        if request.method == "GET":
            pages = CursorPagination()
            rows = pages.paginate_queryset(Attachment.objects.filter(submission=found), request, view=self)
            return pages.get_paginated_response(AttachmentSerializer(rows, many=True).data)
        asked = AttachmentInputSerializer.checked(request)
        made = actions.attach(found, field=asked["field"], upload=asked["file"], by=self.request.member)
        return Response(AttachmentSerializer(made).data, status=201)


class DownloadView(APIView):
    needs = {"get": "submissions.read"}

    @extend_schema(responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    def get(self, request: ApiRequest, pk: UUID) -> FileResponse:
        """The bytes of a file of a submission that I may see; the download is recorded."""
        member = request._request.member  # type: ignore[attr-defined]
        rows = Attachment.objects.filter(submission__in=Submission.objects.visible_to(member))
        return file_answer(get_object_or_404(rows.select_related("submission"), pk=pk), member)


TASK_FILTERS = [
    OpenApiParameter("submission", UUID),
    OpenApiParameter("form", UUID),
    OpenApiParameter("state", str, enum=AssignmentState.values, description="open when left out"),
]


class TaskViewSet(ReadOnlyTenantViewSet[Assignment]):
    """What waits for me; POST decide answers it. Nothing here is edited in place."""

    serializer_class = TaskSerializer
    needs = {"list": "tasks.decide", "retrieve": "tasks.decide", "decide": "tasks.decide"}

    @extend_schema(parameters=TASK_FILTERS)
    def list(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """Tasks of mine and of whom I stand in for, the open ones unless `state` says otherwise."""
        return super().list(request, *args, **kwargs)

    def rows(self) -> Any:
        if self.action != "list":
            return Assignment.objects.seen_by(self.request.member).with_case()
        query = self.request.query_params
        state = query.get("state") or AssignmentState.OPEN
        rows = Assignment.objects.with_case()
        if state == AssignmentState.OPEN:
            rows = rows.waiting_for(self.request.member.pk)
        else:
            rows = rows.seen_by(self.request.member).filter(state=state)
        for name, column in (("submission", "step__case__subject_id"), ("form", "step__case__collection_id")):
            if value := query.get(name):
                rows = rows.filter(**{column: id_in(value)})
        return rows

    @extend_schema(request=DecisionInputSerializer, responses={201: DecisionSerializer})
    @action(detail=True, methods=["post"])
    def decide(self, request: Request, pk: str) -> Response:
        """Approve, reject or send back exactly the revision that was read."""
        asked = DecisionInputSerializer.checked(request)
        made = approvals.decide(self.get_object(), by=self.request.member, **asked)
        return Response(DecisionSerializer(made).data, status=201)


routes: list[tuple[str, Any, str]] = [
    ("forms", FormViewSet, "form"),
    ("submissions", SubmissionViewSet, "submission"),
    ("tasks", TaskViewSet, "task"),
]
urlpatterns = [path("attachments/<uuid:pk>/download", DownloadView.as_view(), name="attachment-download")]
