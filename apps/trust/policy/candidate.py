"""The candidate policy, from memory; each process asks the database again after some seconds."""

from __future__ import annotations

import time
from typing import Any

import structlog
from csp.constants import NONCE
from django.conf import settings
from django.db import DatabaseError

from apps.tenants.context import NOBODY, tenant_context

from ..models import CandidatePolicy

log = structlog.get_logger(__name__)
FRESH_SECONDS = 5.0
_known: tuple[float, dict[str, list[str]] | None] = (0.0, None)


def candidate() -> dict[str, Any] | None:
    """All directives of the candidate, with django-csp's mark where a nonce belongs; None without one.

    It protects nobody, so a database that is away means that there is none for the moment.
    """
    changes = _changes()
    if not changes:
        return None
    own = {name: [NONCE if value == "'nonce'" else value for value in values] for name, values in changes.items()}
    return {**settings.CONTENT_SECURITY_POLICY["DIRECTIVES"], **own}


def forget() -> None:
    """Ask the database at the next page."""
    global _known
    _known = (0.0, None)


def _changes() -> dict[str, list[str]] | None:
    global _known
    read_at, found = _known
    if read_at and time.monotonic() - read_at < FRESH_SECONDS:
        return found
    try:
        with tenant_context(NOBODY):
            row = CandidatePolicy.objects.filter(ended_at=None).order_by("-started_at", "-id").first()
    except DatabaseError as error:
        log.warning("candidate_policy_unknown", error=type(error).__name__)
        row = None
    _known = (time.monotonic(), row.changes if row else None)
    return _known[1]
