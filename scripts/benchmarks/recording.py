"""The same product, recording as it does, not at all, or in a chain whose head is locked until commit. For measuring only."""

from __future__ import annotations

import os
import sys
from typing import Any

from orkestra.wsgi import application  # isort: skip  it readies the apps

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.urls import get_resolver

from apps.audit import actions
from apps.audit.models import Entry
from apps.tenants.context import current_tenant

__all__ = ["application"]

LOCK = "SELECT chain FROM yardstick.head WHERE tenant = %s FOR UPDATE"
CHAIN = "UPDATE yardstick.head SET chain = sha256(chain || sha256(%s)) WHERE tenant = %s"
recorded = actions.record
commit = BaseDatabaseWrapper._commit  # type: ignore[attr-defined]


def without(*_targets: Any, **_said: Any) -> Entry:
    """An entry that is not kept."""
    return Entry()


def inline(*targets: Any, **said: Any) -> Entry:
    """An entry that is chained when its transaction commits; earlier would be a lock more to die of."""
    made = recorded(*targets, **said)
    vars(connections["default"]).setdefault("unchained", []).append(bytes(made.body))
    return made


def chained(own: BaseDatabaseWrapper) -> Any:
    """Lock the chain's head, carry it on, and commit, which frees it."""
    for body in vars(own).pop("unchained", []):
        with own.cursor() as cursor:
            cursor.execute(LOCK, [current_tenant()])
            cursor.execute(CHAIN, [body, current_tenant()])
    return commit(own)


if (way := {"without": without, "inline": inline}.get(os.environ["ORKESTRA_BENCH_RECORDING"])) is not None:
    get_resolver().url_patterns  # noqa: B018  every room is imported before its name is changed
    for module in list(sys.modules.values()):
        if getattr(module, "record", None) is recorded:
            module.record = way  # type: ignore[attr-defined]
    if way is inline:
        BaseDatabaseWrapper._commit = chained  # type: ignore[attr-defined]
