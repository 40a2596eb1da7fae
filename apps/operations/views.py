"""The two questions of a load balancer."""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse

from .health import checks


def live(request: HttpRequest) -> JsonResponse:
    """The process answers; nothing else is asked."""
    return JsonResponse({"status": "ok"})


def ready(request: HttpRequest) -> JsonResponse:
    """200 when requests can be served, 503 with Retry-After when not; a missing cache is named and does not count."""
    is_ready, parts = checks()
    answer = JsonResponse({"status": "ok" if is_ready else "down", "parts": parts}, status=200 if is_ready else 503)
    if not is_ready:
        answer["Retry-After"] = "5"
    return answer
