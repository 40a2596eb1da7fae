"""Promise a mail in the caller's transaction, and keep the promise from a job."""

from __future__ import annotations

import smtplib
from collections.abc import Mapping
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.template.loader import render_to_string

from apps.tenants import clock
from apps.tenants.context import current_tenant
from apps.tenants.jobs import defer
from apps.tenants.models import Tenant
from apps.tenants.slots import slots

from ..models import OutboxMessage, OutboxState

MAX_ATTEMPTS = 8
SECRET_TEMPLATES = frozenset(
    {
        "account/mail/address_link",
        "account/mail/invitation",
        "account/mail/password_reset",
        "account/mail/sign_up",
        "forms/mail/receipt",
    }
)
ERASED = "(The text held a secret and was erased.)"


class TryAgain(Exception):
    """The mail could not be sent now and will be tried again."""


@transaction.atomic(savepoint=False)
def queue_mail(
    *, to: str, template: str, context: Mapping[str, object], dedupe: str, user_id: UUID | None
) -> OutboxMessage:
    """Render a mail and put it into the outbox of the tenant in force, with the job that sends it.

    Templates are `<template>.subject.txt` and `<template>.body.txt`. A second call with the same `dedupe` does nothing.
    """
    subject = " ".join(render_to_string(f"{template}.subject.txt", dict(context)).split())
    body = render_to_string(f"{template}.body.txt", dict(context)).strip() + "\n"
    message = OutboxMessage(dedupe=dedupe, to=to, user_id=user_id, template=template, subject=subject[:300], body=body)
    OutboxMessage.objects.bulk_create([message], ignore_conflicts=True)
    first = OutboxMessage.objects.get(dedupe=dedupe)
    if first.pk == message.pk:
        defer("comms.send_mail", queue="mail", message_id=str(message.pk))
    return first


def deliver(message_id: UUID) -> None:
    """Send one mail, once: the row is locked while the mail is handed over. Raises TryAgain while there is hope."""
    with transaction.atomic():
        message = OutboxMessage.objects.select_for_update().get(pk=message_id)
        if message.state != OutboxState.QUEUED:
            return
        message.attempts += 1
        error = _hand_over(message)
        if error is None:
            message.state, message.sent_at, message.last_error = OutboxState.SENT, clock.now(), ""
        else:
            message.last_error = error[:300]
            if message.attempts >= MAX_ATTEMPTS:
                message.state = OutboxState.FAILED
        if message.state != OutboxState.QUEUED and message.template in SECRET_TEMPLATES:
            message.body = ERASED
        message.save()
    if message.state == OutboxState.QUEUED:
        raise TryAgain(message.last_error)


def _hand_over(message: OutboxMessage) -> str | None:
    """What went wrong, or None. A refusal of the recipient that is temporary (4xx) counts like any other."""
    host = settings.PUBLIC_URL.split("://", 1)[-1].split(":", 1)[0]
    mail = EmailMessage(
        message.subject,
        message.body,
        to=[message.to],
        headers={"Message-ID": f"<{message.pk}.{message.tenant_id}@{host}>", "Auto-Submitted": "auto-generated"},
    )
    try:
        mail.send()
    except (OSError, smtplib.SMTPException) as error:
        return f"{type(error).__name__}: {error}"
    return None


def tell_owners(template: str, page: str, dedupe: str, context: Mapping[str, object]) -> None:
    """The same mail to each owner of the tenant in force, with a link to one of its pages."""
    tenant = Tenant.objects.get(pk=current_tenant())
    link = f"{settings.PUBLIC_URL}/t/{tenant.slug}/{page}"
    for owner in slots.owners():
        own = {"name": owner.name, "tenant": tenant.name, "link": link, **context}
        key = f"{dedupe}:{owner.user_id}"
        queue_mail(to=owner.email, template=template, context=own, dedupe=key, user_id=owner.user_id)
