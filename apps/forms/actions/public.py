"""What somebody sends from outside: without a name of ours, at once or not at all."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.core.validators import validate_email
from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext as _

from apps.accounts.limits import Limit, TooMany, spend
from apps.accounts.pseudonyms import called_by_address
from apps.audit.actions import record
from apps.billing import usage
from apps.billing.gate import refuse_when_trial_is_over
from apps.billing.rules import Resource
from apps.comms.actions import queue_mail
from apps.tenants import clock
from apps.tenants.context import current_tenant
from apps.tenants.ids import new_id
from apps.tenants.models import Tenant
from apps.tenants.refusals import Conflict, Invalid, PaymentRequired

from .. import store
from ..models import Attachment, Form, Receipt, Submission
from ..public import digest
from ..rules.answers import Answers, Known, read_answers
from ..rules.filling import Filling
from ..rules.spec import Kind, Spec
from ..sweeping import with_rows
from .submissions import next_reference, open_submission

MOST_FILES = 5
LONGEST_ADDRESS = 254
MAILED_REPORTS = Limit("public.contact", 20, 86_400)
Uploads = dict[UUID, tuple[str, UploadedFile]]  # the id that each will have -> its field and the file


@dataclass(frozen=True)
class Sent:
    """What came of it: the submission, and the secret of the private link, which is told once."""

    submission: Submission
    word: str


def submit_public(form: Form, *, data: dict[str, Any], files: dict[str, list[UploadedFile]]) -> Sent:
    """Take answers and files of somebody unknown, and start the path. Nothing is kept unless all of it holds.

    What the log keeps of where they came from is erased by the address that they gave; without one it is nobody's.
    Raises Conflict when the form is not open to anyone, PaymentRequired after a trial or over a quota, Invalid.
    """
    if form.live_version is None or form.filling != Filling.PUBLIC:
        raise Conflict(_("This form is not open to anyone."))
    spec = form.live_version.spec
    uploads = {new_id(): (field, upload) for field, several in files.items() for upload in several}
    check_room(sum(upload.size or 0 for _field, upload in uploads.values()))
    answers = judge_public(spec, data, uploads)
    if answers.errors:
        raise Invalid(answers.errors)
    uploads = {key: found for key, found in uploads.items() if str(key) in answers.data.get(found[0], [])}
    stored = {
        identity: store.write(current_tenant(), store.clean_name(upload.name or ""), upload.chunks(store.CHUNK_BYTES))
        for identity, (_field, upload) in uploads.items()
    }
    address = address_in(spec, answers.data)
    reference, contact = next_reference(spec.reference), contact_of(address)
    with called_by_address(address), with_rows(*stored.values()) if stored else transaction.atomic():
        made = Submission(form=form, form_version=form.live_version, submitter=None, changed_at=clock.now())
        made.save(force_insert=True)
        for identity, (field, upload) in uploads.items():
            _attach(made, identity, field, store.clean_name(upload.name or ""), stored[identity])
        made = open_submission(made, answers, reference, None, contact)
        return Sent(made, _give_receipt(made, contact))


def check_room(size: int = 0) -> None:
    """Raise PaymentRequired where the tenant may take nothing new, before anybody types or a file is kept."""
    refuse_when_trial_is_over()
    wanted = {Resource.SUBMISSIONS: 1, Resource.STORAGE: size}
    for meter in usage.meters(usage.subscription()):
        more = wanted.get(meter.resource, 0)
        if meter.most is not None and more and meter.used + more > meter.most:
            raise PaymentRequired(_("The plan of this organisation has no room for more now."), code="over_quota")


def judge_public(spec: Spec, data: dict[str, Any], uploads: Uploads) -> Answers:
    """The answers as they would be sent, with what is wrong with each file at its field."""
    listed: dict[str, list[str]] = {}
    for identity, (field, _upload) in uploads.items():
        listed.setdefault(field, []).append(str(identity))
    answers = read_answers(spec, data | listed, Known(set(), {str(identity) for identity in uploads}))
    for field, upload in uploads.values():
        if fault := _fault(upload):
            answers.errors.setdefault(field, []).append(fault)
    if len(uploads) > MOST_FILES:
        field = next(iter(listed))
        answers.errors.setdefault(field, []).append(_("At most %(n)s files can be sent.") % {"n": MOST_FILES})
    return answers


def address_in(spec: Spec, data: dict[str, Any]) -> str:
    """What the contact field holds, if it is one e-mail address, else nothing."""
    text = str(data.get(spec.contact, "")).strip()
    try:
        validate_email(text)
    except ValidationError:
        return ""
    return text


def contact_of(address: str) -> str:
    """The address that is told at each step, or nothing.

    One that was named too often today gets no more mail: a public form is no way to fill somebody's mailbox.
    """
    if not address or len(address) > LONGEST_ADDRESS:
        return ""
    try:
        spend(MAILED_REPORTS, address.lower(), account=address)
    except TooMany:
        return ""
    return address


def uploads_of(spec: Spec, files: Any) -> dict[str, list[UploadedFile]]:
    """What came along for the form's file fields; anything else is left lying."""
    found = {item.name: files.getlist(item.name) for item in spec.fields if item.kind is Kind.FILE}
    return {name: several for name, several in found.items() if several}


def _fault(upload: UploadedFile) -> str:
    """What is wrong with a file, looked at before any byte is kept."""
    name = store.clean_name(upload.name or "")
    if (upload.size or 0) > settings.ATTACHMENT_MAX_BYTES:
        return _("%(name)s: a file may have at most %(n)s MB.") % {
            "name": name,
            "n": settings.ATTACHMENT_MAX_BYTES // 1024**2,
        }
    head = upload.read(store.HEAD_BYTES)
    upload.seek(0)
    try:
        store.content_type_of(name, head)
    except Invalid as fault:
        return " ".join(str(text) for texts in fault.errors.values() for text in texts)
    return ""


def _attach(made: Submission, identity: UUID, field: str, name: str, stored: store.Stored) -> None:
    attachment = Attachment.objects.create(
        id=identity,
        submission=made,
        field=field,
        name=name,
        sha256=stored.sha256,
        size=stored.size,
        content_type=stored.content_type,
    )
    facts = {"field": field, "sha256": stored.sha256, "bytes": stored.size}
    record("attachment.added", made, attachment, facts=facts)


def _give_receipt(made: Submission, contact: str) -> str:
    """A secret of 256 bits, of which only the hash is kept; the first mail carries it and is erased once it is sent."""
    word = secrets.token_urlsafe(32)
    receipt = Receipt.objects.create(submission=made, token_sha256=digest(word))
    record("receipt.given", made, receipt, facts={"mailed": bool(contact)})
    if contact:
        context = {
            "reference": made.reference,
            "tenant": Tenant.objects.get(pk=current_tenant()).name,
            "link": f"{settings.PUBLIC_URL}{reverse('receipt', kwargs={'word': word})}",
        }
        dedupe = f"receipt:{receipt.pk}"
        queue_mail(to=contact, template="forms/mail/receipt", context=context, dedupe=dedupe, user_id=None)
    return word
