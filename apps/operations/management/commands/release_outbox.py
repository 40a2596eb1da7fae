"""Send, after a restore, what still waited when the backup was taken: mails, webhooks and streams of audit logs."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand
from django.db import transaction

from apps.audit.actions import record
from apps.comms.actions import requeue_inbound, requeue_webhooks
from apps.comms.models import DeliveryState, InboundEvent, InboundState, OutboxMessage, OutboxState, WebhookDelivery
from apps.operations.streams.actions import release_held
from apps.operations.streams.models import Stream
from apps.tenants.context import TenantContext, as_system, tenant_context
from apps.tenants.jobs import defer
from apps.tenants.models import PLATFORM_TENANT_ID, Tenant


class Command(BaseCommand):
    help = (
        "Queue a job for every mail and webhook that is still to be dealt with, and let streams go on where they were;"
        " the hold after a restore ends with it."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        with tenant_context(TenantContext(platform=True, credential="system")):
            tenants = list(Tenant.objects.values_list("pk", flat=True))
        counts = _waiting(tenants)
        # First, so that a job that still finds the hold leaves behind a row that is seen below.
        with as_system(PLATFORM_TENANT_ID), transaction.atomic():
            record("outbox.released", facts=counts)
        for tenant in tenants:
            with as_system(tenant), transaction.atomic():
                for pk in _mails().values_list("pk", flat=True):
                    defer("comms.send_mail", queue="mail", message_id=str(pk))
                requeue_webhooks()
                release_held()
        requeue_inbound()
        self.stdout.write(
            f"{counts['mails']} mails are on their way, {counts['webhooks']} webhooks too; {counts['inbound']} that came in"
            f" are looked at; {counts['streams']} streams of audit logs go on."
        )


def _waiting(tenants: list[UUID]) -> dict[str, int]:
    """How many of each kind wait."""
    counts = dict.fromkeys(("mails", "webhooks", "streams"), 0)
    for tenant in tenants:
        with as_system(tenant):
            counts["mails"] += _mails().count()
            counts["webhooks"] += WebhookDelivery.objects.filter(state=DeliveryState.QUEUED).count()
            counts["streams"] += Stream.objects.filter(is_held=True).count()
    return {**counts, "inbound": InboundEvent.objects.filter(state=InboundState.RECEIVED).count()}


def _mails() -> Any:
    return OutboxMessage.objects.filter(state=OutboxState.QUEUED)
