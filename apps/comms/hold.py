"""After a restore no mail and no webhook goes out, whoever promised it and when, until an operator lets them.

The platform's log says whether that is so. It may be a drill: what ends by its time, or is told once a day, would be told
to people of the real installation.
"""

from __future__ import annotations

from apps.audit.actions import record_platform
from apps.audit.models import Entry
from apps.tenants.context import as_system
from apps.tenants.models import PLATFORM_TENANT_ID


def hold() -> None:
    """Keep in the outbox whatever is there and whatever comes."""
    record_platform("outbox.held")


def is_held() -> bool:
    """Whether the newest hold was not released yet.

    Who releases records it first and queues what waits then: a job that finds the hold may leave its row to that.
    """
    with as_system(PLATFORM_TENANT_ID):
        since = (
            Entry.objects.filter(action="outbox.held").order_by("-time", "-id").values_list("time", flat=True).first()
        )
        return since is not None and not Entry.objects.filter(action="outbox.released", time__gt=since).exists()
