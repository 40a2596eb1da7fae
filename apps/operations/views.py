"""The two questions of a load balancer."""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse

from .health import DOWN, checks


def live(request: HttpRequest) -> JsonResponse:
    """The process answers; nothing else is asked."""
    return JsonResponse({"status": "ok"})


def ready(request: HttpRequest) -> JsonResponse:
    """200 when requests can be served, 503 with Retry-After when not; what can be missed for a while is named."""
    status, parts = checks()
    answer = JsonResponse({"status": status, "parts": parts}, status=503 if status == DOWN else 200)
    if status == DOWN:
        answer["Retry-After"] = "5"
    return answer
