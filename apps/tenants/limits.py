"""The refusal that a limit of the database turns into; which limits there are is told by a higher room."""

from __future__ import annotations

from typing import Any

from django.db import DatabaseError
from django.utils.translation import gettext as _

from .refusals import PaymentRequired
from .slots import slots


class OverLimit(PaymentRequired, DatabaseError):
    """A trigger stopped the transaction. A DatabaseError too, so that Django rolls back as for any other."""

    def __init__(self, detail: dict[str, Any]) -> None:
        super().__init__(
            _("This would be more than the plan allows: %(resource)s.") % detail, code="over_quota", **detail
        )

    def document(self, request_id: str = "") -> dict[str, Any]:
        """With what the plan says, looked up after the rollback."""
        body = super().document(request_id)
        return body | slots.explain_limit({key: body[key] for key in ("resource", "limit", "used", "requested")})
