"""What may be deleted: forms that were never published, and drafts that were never sent. Everything else is a record."""

from __future__ import annotations

from django.db import transaction
from django.utils.translation import gettext as _

from apps.accounts.models import Member
from apps.audit.actions import record
from apps.tenants.context import refuse_support
from apps.tenants.freshness import require_fresh
from apps.tenants.refusals import Conflict, Forbidden, Refused

from ..access import demand
from ..models import Attachment, Form, Submission
from .files import check_writes


@transaction.atomic
def delete_form(form: Form, *, by: Member) -> None:
    """Delete a form that was never published, with its grants. Raises Forbidden, Refused for a published one."""
    demand(form, by, "manage")
    require_fresh("form.delete")
    form = Form.objects.select_for_update().get(pk=form.pk)
    if form.versions.exists():
        text = _("A published form stays, since what was sent and decided points at it. Close it to everybody instead.")
        raise Refused(text, code="published")
    record("form.deleted", form)
    form.delete()


@transaction.atomic
def discard_draft(submission: Submission, *, by: Member) -> None:
    """Delete one's own draft with the rows of its files. Raises Forbidden, Conflict once it was sent."""
    refuse_support()
    found = Submission.objects.select_for_update().get(pk=submission.pk)
    if found.submitter_id != by.pk:
        raise Forbidden()
    check_writes(by)
    if found.case_id is not None:
        raise Conflict(_("It was sent already; what was sent stays."))
    files = Attachment.objects.filter(submission=found)
    record("draft.deleted", found, facts={"files": files.count()})
    files.delete()
    found.delete()
