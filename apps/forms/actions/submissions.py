"""Drafts, and sending them."""

from __future__ import annotations

import hashlib
from typing import Any

from django.db import connection, transaction
from django.utils.translation import gettext as _

from apps.accounts.models import Member
from apps.approvals import actions as approvals
from apps.audit import canonical
from apps.audit.actions import record
from apps.comms.actions import publish_event
from apps.tenants import clock
from apps.tenants.context import current_tenant, refuse_support
from apps.tenants.ids import new_id
from apps.tenants.refusals import Conflict, Invalid

from ..models import Attachment, Form, FormVersion, Revision, Submission
from ..rules.answers import Answers, Known, facts, read_answers
from ..rules.spec import Kind, Spec
from .files import check_editable, check_filler, check_writes

# One statement of its own, committed at once and not waited for on disk: a later commit carries it along.
NEXT_NUMBER = """
    SET LOCAL synchronous_commit = off;
    INSERT INTO forms_referencecounter AS c (tenant_id, id, prefix, year, value) VALUES (%s, %s, %s, %s, 1)
    ON CONFLICT (tenant_id, prefix, year) DO UPDATE SET value = c.value + 1 RETURNING value"""


@transaction.atomic
def start_draft(form: Form, *, by: Member, data: dict[str, Any] | None = None) -> Submission:
    """An empty or half-filled submission of the live version. Raises Forbidden, Conflict when nothing is published."""
    if form.live_version is None:
        raise Conflict(_("This form is not published yet."))
    check_filler(form, by)
    draft = Submission.objects.create(
        form=form, form_version=form.live_version, submitter=by, draft_data=data or {}, changed_at=clock.now()
    )
    record("draft.started", draft, form, facts={"form": form.slug, "version": form.live_version.number})
    return draft


@transaction.atomic
def save_draft(submission: Submission, *, data: dict[str, Any], by: Member) -> Submission:
    """Keep what was typed, right or wrong; files stay as they are. Raises Forbidden, Conflict."""
    submission = Submission.objects.select_for_update(of=("self",)).select_related("form_version").get(pk=submission.pk)
    check_editable(submission, by)
    files = {item.name for item in submission.form_version.spec.fields if item.kind is Kind.FILE}
    kept = {name: value for name, value in submission.draft_data.items() if name in files}
    submission.draft_data = {**{name: value for name, value in data.items() if name not in files}, **kept}
    submission.changed_at = clock.now()
    submission.save()
    return submission


def judge(submission: Submission) -> Answers:
    """The draft's answers as they would be sent."""
    spec = submission.form_version.spec
    return read_answers(spec, submission.draft_data, known(spec, submission))


def known(spec: Spec, submission: Submission | None) -> Known:
    """What answers may point at, asked of the database only where the form has such fields."""
    kinds = {item.kind for item in spec.fields} | {column.kind for item in spec.fields for column in item.columns}
    people = {str(pk) for pk in Member.objects.people().values_list("pk", flat=True)} if Kind.PERSON in kinds else set()
    files: set[str] = set()
    if Kind.FILE in kinds and submission is not None:
        files = {str(pk) for pk in Attachment.objects.filter(submission=submission).values_list("pk", flat=True)}
    return Known(people, files)


def submit(submission: Submission, *, by: Member) -> Submission:
    """Freeze the answers as a revision and start its path, or start it again after a correction.

    Raises Invalid with every fault, Forbidden, Conflict. A reference number that was taken and then not used leaves a
    gap: numbers are handed out before the transaction, so that a busy form is not serialised on a counter.
    """
    check_editable(submission, by)
    answers = judge(submission)
    if answers.errors:
        raise Invalid(answers.errors)
    reference = submission.reference or next_reference(submission.form_version.spec.reference)
    with transaction.atomic():
        return _send(submission, answers, reference, by)


def submit_new(form: Form, *, data: Any, by: Member) -> Submission:
    """Send answers at once, without a draft before it. Raises as `submit` does."""
    if form.live_version is None:
        raise Conflict(_("This form is not published yet."))
    check_filler(form, by)
    spec = form.live_version.spec
    answers = read_answers(spec, data, known(spec, None))
    if answers.errors:
        raise Invalid(answers.errors)
    reference = next_reference(spec.reference)
    with transaction.atomic():
        made = Submission(form=form, form_version=form.live_version, submitter=by)
        return open_submission(made, answers, reference, by)


def _send(submission: Submission, answers: Answers, reference: str, by: Member) -> Submission:
    """Lock, check again, and write."""
    Submission.objects.select_for_update().get(pk=submission.pk)
    submission = Submission.objects.with_all().get(pk=submission.pk)
    check_editable(submission, by)
    return open_submission(submission, answers, reference, by)


def open_submission(
    submission: Submission, answers: Answers, reference: str, by: Member | None, contact: str = ""
) -> Submission:
    """Write the answers as a revision and start or restart the path; without `by` they came from outside.

    The submission itself is written once, at the end, also a new one: what points at it is compared at commit.
    """
    spec, now = submission.form_version.spec, clock.now()
    number = submission.current_revision.number + 1 if submission.current_revision else 1
    sha256 = fingerprint(submission.form_version, answers.data)
    revision = Revision.objects.create(submission=submission, number=number, data=answers.data, sha256=sha256)
    submission.current_revision, submission.reference, submission.submitted_at = revision, reference, now
    submission.title = title_of(submission, spec, answers.data)
    submission.draft_data, submission.changed_at = {}, now
    record("submission.sent", submission, revision, facts={"revision": number, "sha256": sha256}, receipt=True)
    told = {"submission": submission.pk, "form": submission.form_id, "reference": reference, "state": "in_review"}
    publish_event("submission.sent", **told, revision=number)
    subject: dict[str, Any] = {
        "subject_revision": revision.pk,
        "subject_sha256": sha256,
        "facts": facts(spec, answers.data),
    }
    if submission.case is None:
        assert submission.form_version.path_version is not None
        submission.case = approvals.open_case(
            subject_id=submission.pk,
            collection_id=submission.form_id,
            title=submission.title,
            reference=reference,
            path_version=submission.form_version.path_version,
            requester=by,
            contact=contact,
            **subject,
        )
    else:
        assert by is not None
        submission.case = approvals.resubmit(submission.case, by=by, **subject)
    submission.save()
    return submission


def fingerprint(version: FormVersion, data: dict[str, Any]) -> str:
    """The hash that a decision is bound to: answers, files by their content, form and path, hex SHA-256."""
    listed = {
        str(identity) for item in version.spec.fields if item.kind is Kind.FILE for identity in data.get(item.name, [])
    }
    files = Attachment.objects.filter(pk__in=listed).values_list("pk", "sha256") if listed else []
    path = version.path_version
    content = {
        "data": data,
        "files": {str(pk): sha256 for pk, sha256 in files},
        "form": version.sha256,
        "path": path.sha256 if path else "",
    }
    return hashlib.sha256(canonical.encode(content)).hexdigest()


def title_of(submission: Submission, spec: Spec, data: dict[str, Any]) -> str:
    """What lists show: the first line of the summary field, else the form's title."""
    text = str(data.get(spec.summary, "")).strip().splitlines()
    return (text[0] if text else submission.form.title)[:200]


def next_reference(prefix: str) -> str:
    """`PR-2026-00042`; unique in the tenant."""
    year = clock.now().year
    with connection.cursor() as cursor:
        cursor.execute(NEXT_NUMBER, [current_tenant(), new_id(), prefix, year])
        (number,) = cursor.fetchone()
    return f"{prefix}-{year}-{number:05d}"


def withdraw(submission: Submission, *, by: Member) -> Submission:
    """Take an open submission back. Raises Forbidden, Conflict."""
    refuse_support()
    check_writes(by)
    if submission.case is None:
        raise Conflict(_("It was not sent yet."))
    submission.case = approvals.withdraw(submission.case, by=by)
    return submission
