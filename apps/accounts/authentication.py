"""DRF's view of what the gateway found; it verifies nothing itself and never looks at the session."""

from __future__ import annotations

from typing import Any

from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from apps.tenants.context import current


class GatewayAuthentication(BaseAuthentication):
    """The person of the bearer token that the gateway verified."""

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        if current().credential not in {"jwt", "api_key"}:
            return None
        return request._request.user, getattr(request._request, "claims", None)

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="orkestra"'
