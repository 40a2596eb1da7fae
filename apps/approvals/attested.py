"""Are the paths that were published still what their hashes say?"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.db.models import TextField
from django.db.models.functions import Cast

from apps.audit import canonical
from apps.tenants.logged import Attested
from apps.tenants.windows import batches

from .models import PathVersion

BATCH = 200


def changed_paths() -> Iterator[UUID]:
    """The ids of versions of paths that are not what was published."""
    rows = PathVersion.objects.annotate(text=Cast("definition", TextField())).only("sha256")
    for batch in batches(rows, BATCH):
        yield from (row.pk for row in batch if _digest(row) != row.sha256)


def _digest(row: Any) -> str:
    try:
        return hashlib.sha256(canonical.encode(json.loads(row.text))).hexdigest()
    except ValueError:
        return ""


ATTESTED = (Attested("approvals.PathVersion", changed_paths),)
