"""The API's one permission class; a module of its own, because DRF's views import it while they load."""

from __future__ import annotations

from typing import Any

from rest_framework.exceptions import MethodNotAllowed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from .context import require
from .refusals import Forbidden


class Permitted(BasePermission):
    """Asks the context for the permission that the view names for this action."""

    def has_permission(self, request: Request, view: Any) -> bool:
        needed = getattr(view, "needs", {})
        permission = needed.get(getattr(view, "action", None) or str(request.method).lower(), needed.get("*"))
        if getattr(view, "action", "") is None or not hasattr(view, str(request.method).lower()):
            raise MethodNotAllowed(str(request.method))
        if permission is None:
            raise Forbidden("This route names no permission.")
        if permission:
            require(permission)
        return True
