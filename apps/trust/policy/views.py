"""The door for reports. It answers 204 to everybody, so that nobody learns from it what was taken."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, resolve
from django.views.decorators.csrf import csrf_exempt

from apps.tenants.measures import POLICY_REPORTS

from . import actions, rules
from .address import is_signed
from .limits import buckets


@csrf_exempt
def report(request: HttpRequest, policy: str, kind: str, day: str, mac: str) -> HttpResponse:
    """Take reports about a policy that this address was signed for."""
    for outcome in _outcomes(request, policy, kind, day, mac):
        POLICY_REPORTS.labels(outcome).inc()
    return HttpResponse(status=204)


def _outcomes(request: HttpRequest, policy: str, kind: str, day: str, mac: str) -> list[str]:
    """What became of each report of the request."""
    media_type = (request.content_type or "").lower()
    length = request.META.get("CONTENT_LENGTH") or ""
    if not is_signed(policy, kind, day, mac):
        return ["unsigned"]
    if not buckets.admits(_sender(request)):
        return ["limited"]
    if media_type not in rules.MEDIA_TYPES or not length.isdigit() or int(length) > rules.LARGEST_BYTES:
        return ["unreadable"]
    host = settings.PUBLIC_URL.split("://", 1)[-1]
    hosts = {host, request.get_host()}
    found = []
    for body in rules.bodies(media_type, request.body):
        violations = [rules.understood(body, host=one, route=_route) for one in hosts]
        violation = next((one for one in violations if one is not None), None)
        found.append("ignored" if violation is None else actions.keep(violation, policy=policy, disposition=kind))
    return found or ["unreadable"]


def _sender(request: HttpRequest) -> str:
    """The client's address as far as proxies of ours vouch for it."""
    hops = [hop.strip() for hop in request.headers.get("X-Forwarded-For", "").split(",") if hop.strip()]
    trusted = settings.TRUSTED_PROXIES
    return hops[-trusted] if trusted and len(hops) >= trusted else str(request.META.get("REMOTE_ADDR", ""))


def _route(path: str) -> str:
    """The pattern of the route, which holds no name, id or token."""
    try:
        return "/" + resolve(path).route
    except Resolver404:
        return "unknown"
