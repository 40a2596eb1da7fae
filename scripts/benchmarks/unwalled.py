"""The same product with the wall off: a role past row-level security, and statements that bind nothing. For measuring only."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

os.environ["DATABASE_URL"] = os.environ["UNWALLED_URL"]

from django.core.wsgi import get_wsgi_application

from apps.tenants.backend import base


def unbound(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
    """The statement as Django wrote it; where that is several, the last one's result, as with the wall."""
    result = execute(sql, params, many, context)
    raw = context["cursor"].cursor
    while raw.nextset():
        pass
    return result


base.bind = unbound
application = get_wsgi_application()
