"""The outermost layer: every request has an id, and every answer carries it."""

from __future__ import annotations

import re
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from .context import TenantContext, tenant_context
from .ids import new_id

ACCEPTED = re.compile(r"[A-Za-z0-9._-]{8,64}\Z")


class RequestId:
    """Take the caller's X-Request-ID where it is well formed, else make one; nobody acts yet."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-ID", "")
        request_id = given if ACCEPTED.match(given) else str(new_id())
        request.request_id = request_id  # type: ignore[attr-defined]
        with tenant_context(TenantContext(request_id=request_id)):
            response = self.get_response(request)
        response["X-Request-ID"] = request_id
        return response
