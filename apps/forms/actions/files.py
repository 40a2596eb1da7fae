"""Files of a submission: taken while it is a draft, given out only after a check and a note in the log."""

from __future__ import annotations

from pathlib import Path

from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.utils.translation import gettext as _

from apps.accounts.models import Member
from apps.audit.actions import record
from apps.tenants.context import current_tenant, refuse_support
from apps.tenants.refusals import Conflict, Forbidden, Invalid, Refused
from apps.tenants.security_events import Kind as EventKind
from apps.tenants.security_events import security_event

from .. import store
from ..access import may_fill
from ..models import Attachment, Form, Submission, held_by
from ..rules.spec import Kind
from ..sweeping import with_rows

MOST_FILES = 50


def attach(submission: Submission, *, field: str, upload: UploadedFile, by: Member) -> Attachment:
    """Store a file for a field of a draft. The bytes are written before the row, and go again where it is refused.

    Raises Forbidden, Conflict when it is no draft, Invalid naming the field or the file, TooLarge, Unavailable.
    """
    check_editable(submission, by)
    item = next((found for found in submission.form_version.spec.fields if found.name == field), None)
    if item is None or item.kind is not Kind.FILE:
        raise Invalid({"field": [_("This form takes no files there.")]})
    name = store.clean_name(upload.name or "")
    stored = store.write(current_tenant(), name, upload.chunks(store.CHUNK_BYTES))
    with with_rows(stored):
        submission = Submission.objects.select_for_update().get(pk=submission.pk)
        if Attachment.objects.filter(submission=submission).count() >= MOST_FILES:
            raise Invalid({field: [_("At most %(n)s files can be attached.") % {"n": MOST_FILES}]})
        made = Attachment.objects.create(
            submission=submission,
            field=field,
            name=name,
            sha256=stored.sha256,
            size=stored.size,
            content_type=stored.content_type,
        )
        submission.draft_data = {
            **submission.draft_data,
            field: [*submission.draft_data.get(field, []), str(made.pk)],
        }
        submission.save()
        record(
            "attachment.added", submission, made, facts={"field": field, "sha256": stored.sha256, "bytes": stored.size}
        )
    return made


@transaction.atomic
def remove_attachment(attachment: Attachment, *, by: Member) -> None:
    """Take a file out of a draft; files of earlier revisions keep their row. Raises Forbidden, Conflict."""
    submission = Submission.objects.select_for_update().get(pk=attachment.submission_id)
    check_editable(submission, by)
    listed = submission.draft_data.get(attachment.field, [])
    submission.draft_data = {
        **submission.draft_data,
        attachment.field: [identity for identity in listed if identity != str(attachment.pk)],
    }
    submission.save()
    record("attachment.removed", submission, attachment, facts={"field": attachment.field})
    if submission.current_revision_id is None:
        attachment.delete()


def download(attachment: Attachment, *, by: Member) -> Path:
    """The file's place on disk, after its bytes were checked and the download was recorded. Raises Refused."""
    try:
        place = store.read(current_tenant(), attachment.sha256)
    except store.Corrupt:
        with transaction.atomic():
            record("attachment.corrupt", attachment.submission, attachment, outcome="refused")
        security_event(EventKind.FILE_CORRUPT, attachment=str(attachment.pk), submission=str(attachment.submission_id))
        raise Refused(
            _("This file is damaged and is not given out; the operators can see it."), code="corrupt"
        ) from None
    with transaction.atomic():
        record("attachment.downloaded", attachment.submission, attachment, facts={"sha256": attachment.sha256})
    return place


def check_editable(submission: Submission, by: Member) -> None:
    """Raise Forbidden unless it is one's own, Conflict unless it can still be changed.

    A draft is held against who may fill the form now; a correction was asked for, and stays open to its sender.
    """
    refuse_support()
    if submission.submitter_id != by.pk:
        raise Forbidden()
    check_writes(by)
    if not submission.is_editable:
        raise Conflict(_("It was sent already and cannot be changed now."))
    if submission.state == Submission.DRAFT:
        check_filler(submission.form, by)


def check_writes(by: Member) -> None:
    """Raise Forbidden for a credential that may only read, such as a key without the scope to fill."""
    if not held_by(by) & {"forms.fill", "forms.fill_named"}:
        raise Forbidden(_("This key may not fill forms."))


def check_filler(form: Form, by: Member) -> None:
    """Raise Forbidden for somebody whom the form does not let fill it."""
    refuse_support()
    if not may_fill(form, by):
        raise Forbidden(_("This form is not open to you."))
