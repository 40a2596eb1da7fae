"""Send, after a restore, what still waited when the backup was taken: mails, webhooks and streams of audit logs."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction

from apps.audit.actions import record
from apps.comms.actions import requeue_inbound, requeue_webhooks
from apps.comms.models import OutboxMessage, OutboxState
from apps.operations.streams.actions import release_held
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
        count = webhooks = streams = 0
        for tenant in tenants:
            with as_system(tenant), transaction.atomic():
                for pk in OutboxMessage.objects.filter(state=OutboxState.QUEUED).values_list("pk", flat=True):
                    defer("comms.send_mail", queue="mail", message_id=str(pk))
                    count += 1
                webhooks += requeue_webhooks()
                streams += release_held()
        inbound = requeue_inbound()
        with as_system(PLATFORM_TENANT_ID), transaction.atomic():
            counts = {"mails": count, "webhooks": webhooks, "inbound": inbound, "streams": streams}
            record("outbox.released", facts=counts)
        self.stdout.write(
            f"{count} mails are on their way, {webhooks} webhooks too; {inbound} that came in are looked at;"
            f" {streams} streams of audit logs go on."
        )
