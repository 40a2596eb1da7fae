"""A problem as an answer: problem+json on the API, a page of ours in the browser."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from apps.tenants.api import PROBLEM_TYPE
from apps.tenants.context import current
from apps.tenants.refusals import Problem

from .doors import is_api

PAGES = {400, 402, 403, 404, 405, 409, 413, 429, 500, 503}


def problem_answer(request: HttpRequest, problem: Problem) -> HttpResponse:
    """The answer for a problem, in the form that the address speaks."""
    request_id = getattr(request, "request_id", "") or current().request_id
    if is_api(request.path_info):
        status = 400 if problem.status == 422 else problem.status
        body = json.dumps(problem.document(request_id) | {"status": status}, default=str)
        response = HttpResponse(body, status=status, content_type=PROBLEM_TYPE)
        if status == 401:
            response["WWW-Authenticate"] = getattr(problem, "challenge", 'Bearer realm="orkestra"')
    else:
        template = getattr(problem, "page", "") or f"{problem.status if problem.status in PAGES else 400}.html"
        context: dict[str, Any] = {"problem": problem, "request_id": request_id}
        if problem.status == 402:
            facts = problem.document(request_id)
            acting = getattr(request, "context", None)
            may_see = bool(facts.get("upgrade_url") and acting and acting.allows("settings.read"))
            context |= {"facts": facts, "may_see": may_see}
        response = render(request, template, context, status=problem.status)
    if problem.retry_after_seconds:
        response["Retry-After"] = str(problem.retry_after_seconds)
    if allowed := problem.extra.get("allowed"):
        response["Allow"] = ", ".join(allowed)
    return response
