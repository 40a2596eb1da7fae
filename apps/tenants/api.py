"""Bases of the API: every viewset reads through the tenant's manager and answers problems as RFC 9457 says."""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar
from uuid import UUID

from django.db import models
from django.http import Http404
from rest_framework import exceptions, mixins, pagination, serializers, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from .context import TenantContext, current
from .models import Tenant
from .permission import Permitted
from .refusals import Invalid, NotFound, Problem

ModelT = TypeVar("ModelT", bound=models.Model)
PROBLEM_TYPE = "application/problem+json"


class ApiRequest(Request):
    """A request after the gateway; `member` acts, `context` says with which powers."""

    member: Any
    tenant: Tenant
    context: TenantContext


# An id inside an address; what is none matches no route and is not there.
UUID_PATTERN = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


class CursorPagination(pagination.CursorPagination):
    """`{"next", "previous", "results"}`, newest first; ids sort by time."""

    page_size = 25
    page_size_query_param = "page_size"
    max_page_size = 100
    ordering = "-id"


class Base(viewsets.GenericViewSet[ModelT]):
    """`needs` maps each action to a permission ("" for any member); an action that is not in it is refused."""

    needs: ClassVar[dict[str, str]] = {}
    permission_classes = [Permitted]
    pagination_class = CursorPagination
    lookup_value_regex = "[^/.]+"
    request: ApiRequest  # type: ignore[assignment]

    def initialize_request(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """Hand on what the gateway found."""
        made = super().initialize_request(request, *args, **kwargs)
        for name in ("member", "tenant", "context"):
            setattr(made, name, getattr(request, name, None))
        return made

    def rows(self) -> Any:
        """The rows this person may see; the one source of list and detail."""
        raise NotImplementedError

    def get_queryset(self) -> Any:
        if getattr(self, "swagger_fake_view", False):
            return self.serializer_class.Meta.model._base_manager.none()  # type: ignore[union-attr]
        return self.rows()

    def get_object(self) -> ModelT:
        """The row of the address, or 404; a malformed id is an unknown one."""
        try:
            UUID(str(self.kwargs[self.lookup_url_kwarg or self.lookup_field]))
        except ValueError:
            raise NotFound() from None
        return super().get_object()


class ReadOnlyTenantViewSet(mixins.RetrieveModelMixin, mixins.ListModelMixin, Base[ModelT]):
    """List and detail over one `visible_to` queryset."""


class TenantViewSet(ReadOnlyTenantViewSet[ModelT]):
    """As above; writes are the subclass's own methods, each calling one action."""


class CheckedSerializer(serializers.Serializer[Any]):
    """Refuses unknown fields by name, since a field that is ignored misleads who sent it; other faults beside them."""

    def to_internal_value(self, data: Any) -> Any:
        unknown = sorted(set(data) - set(self.fields)) if hasattr(data, "keys") else []
        errors: dict[str, Any] = {name: ["This field is not known here."] for name in unknown}
        try:
            found = super().to_internal_value(data)
        except serializers.ValidationError as fault:
            raise serializers.ValidationError(
                errors | fault.detail if isinstance(fault.detail, dict) else fault.detail
            ) from None
        if errors:
            raise serializers.ValidationError(errors)
        return found

    @classmethod
    def checked(cls, request: Request, **kwargs: Any) -> dict[str, Any]:
        """The validated body. Raises Invalid with one message a place."""
        serializer = cls(data=request.data, **kwargs)
        if not serializer.is_valid():
            raise Invalid(dict(places(serializer.errors)))
        return dict(serializer.validated_data)


def places(errors: Any, prefix: str = "") -> list[tuple[str, list[str]]]:
    """DRF's nested errors as (`lines.2.price`, messages)."""
    if isinstance(errors, dict):
        found = [places(value, f"{prefix}.{key}" if prefix else str(key)) for key, value in errors.items()]
        return [pair for group in found for pair in group]
    if isinstance(errors, list) and any(isinstance(item, dict) for item in errors):
        found = [places(item, f"{prefix}.{index}") for index, item in enumerate(errors) if item]
        return [pair for group in found for pair in group]
    return [(prefix or "body", [str(item) for item in errors])]


def problem_response(problem: Problem) -> Response:
    """A Problem as the API sends it: rules that refuse are 400 here, 422 on a page."""
    status = 400 if problem.status == 422 else problem.status
    body = problem.document(current().request_id) | {"status": status}
    headers = {"Retry-After": str(problem.retry_after_seconds)} if problem.retry_after_seconds else {}
    if status == 401:
        headers["WWW-Authenticate"] = getattr(problem, "challenge", 'Bearer realm="orkestra"')
    return Response(body, status=status, headers=headers, content_type=PROBLEM_TYPE)


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler: every error leaves as problem+json; unknown ones are left to the last resort."""
    if isinstance(error, Problem):
        return problem_response(error)
    if isinstance(error, Http404):
        return problem_response(NotFound())
    if isinstance(error, exceptions.ValidationError):
        return problem_response(Invalid(dict(places(error.detail))))
    if isinstance(error, exceptions.APIException):
        problem = Problem(str(error.detail), code=str(error.default_code))
        problem.status, problem.title = error.status_code, str(error.default_detail)
        response = problem_response(problem)
        if header := getattr(error, "auth_header", None):
            response["WWW-Authenticate"] = header
        return response
    return None
