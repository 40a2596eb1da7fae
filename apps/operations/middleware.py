"""Every request is measured and leaves one line: its route, status and time, never its address or what it carried."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, resolve

from apps.tenants.measures import REQUEST_SECONDS, REQUESTS

log = structlog.get_logger("orkestra.access")
METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
UNKNOWN = "unknown"


class Measured:
    """Stands just inside the request id, so that whatever an answer comes from is counted."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        started = time.perf_counter()
        response = self.get_response(request)
        elapsed = time.perf_counter() - started
        route = route_of(request)
        method = request.method if request.method in METHODS else "OTHER"
        REQUESTS.labels(route, method, f"{response.status_code // 100}xx").inc()
        REQUEST_SECONDS.labels(route, method).observe(elapsed)
        acting = getattr(request, "context", None)
        who = {key: str(value) for key in ("tenant", "user") if (value := getattr(acting, key, None))}
        log.info("request", route=route, method=method, status=response.status_code, ms=round(elapsed * 1000, 1), **who)
        return response


def route_of(request: HttpRequest) -> str:
    """The route's name; a path may hold the secret of an invitation, and would make as many labels as there are paths."""
    match = request.resolver_match
    if match is None:
        if request.path_info.startswith(f"/{settings.STATIC_URL.strip('/')}/"):
            return "static"
        try:
            match = resolve(request.path_info)
        except Resolver404:
            return UNKNOWN
    return match.view_name or match.route or UNKNOWN
