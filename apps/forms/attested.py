"""Are the forms that were published and the answers that were sent still what their hashes say?

A decision is bound to the hash of what was decided on; whoever changes what stands beside it changes what people read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.db.models import TextField
from django.db.models.functions import Cast
from django.utils.translation import gettext_lazy as _

from apps.tenants.logged import Attested
from apps.tenants.refusals import Invalid
from apps.tenants.windows import batches

from .actions.submissions import fingerprint
from .models import FormVersion, Revision
from .rules.spec import digest

BATCH = 200
CHANGED = _(
    "What is stored here is not what was sent: it no longer fits its hash and is not shown. Tell the operators."
)
UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, Invalid)


def is_as_sent(revision: Revision, version: FormVersion) -> bool:
    """Whether the answers, files, form and path that stand there are those of the revision's hash."""
    try:
        return fingerprint(version, revision.data) == revision.sha256
    except UNREADABLE:
        return False


def fits_its_hash(revision: UUID) -> bool:
    """Whether what somebody is about to decide on is what was sent."""
    try:
        found = Revision.objects.select_related("submission__form_version__path_version").get(pk=revision)
    except (Revision.DoesNotExist, *UNREADABLE):
        return False
    return is_as_sent(found, found.submission.form_version)


def changed_revisions() -> Iterator[UUID]:
    """The ids of revisions that are not what was sent."""
    for batch in batches(Revision.objects.select_related("submission"), BATCH):
        versions = {pk: _version(pk) for pk in {revision.submission.form_version_id for revision in batch}}
        for revision in batch:
            version = versions[revision.submission.form_version_id]
            if version is None or not is_as_sent(revision, version):
                yield revision.pk


def changed_versions() -> Iterator[UUID]:
    """The ids of published forms that are not what was published."""
    rows = FormVersion.objects.annotate(schema_text=Cast("schema", TextField()), ui_text=Cast("ui", TextField()))
    for batch in batches(rows.only("sha256"), BATCH):
        yield from (row.pk for row in batch if _digest(row) != row.sha256)


def _digest(row: Any) -> str:
    try:
        return digest(json.loads(row.schema_text), json.loads(row.ui_text))
    except UNREADABLE:
        return ""


def _version(pk: UUID) -> FormVersion | None:
    """None where it cannot be read any more."""
    try:
        return FormVersion.objects.select_related("path_version").get(pk=pk)
    except (FormVersion.DoesNotExist, *UNREADABLE):
        return None


ATTESTED = (Attested("forms.Revision", changed_revisions), Attested("forms.FormVersion", changed_versions))
