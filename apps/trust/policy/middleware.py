"""The policy in force and the candidate, each with its own signed address for reports."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from csp.middleware import CSPMiddleware, PolicyParts
from csp.utils import build_policy
from django.http import HttpRequest, HttpResponseBase

from .address import policy_hash, report_address
from .candidate import candidate


class PolicyMiddleware(CSPMiddleware):
    """django-csp's, with `report-uri` in what it sends. `report-to` is left out: with both, nothing arrives over HTTP."""

    def get_policy_parts(
        self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False
    ) -> PolicyParts:
        parts = super().get_policy_parts(request, response, report_only)
        if report_only and parts.config is None and not request.path_info.startswith(("/admin/", "/csp/")):
            parts.config = candidate()
            parts.replace = getattr(response, "_csp_replace", None)
        if report_only and parts.config is None:
            return parts
        without_nonce: dict[str, Any] = asdict(parts) | {"nonce": "any"}
        policy = policy_hash(build_policy(**without_nonce, report_only=report_only))
        address = report_address(policy, "report" if report_only else "enforce")
        parts.update = {**(parts.update or {}), "report-uri": [address]}
        return parts
