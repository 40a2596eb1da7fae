"""Where a tenant's audit log is streamed to, and how far each destination has taken it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar, Self
from urllib.parse import urlsplit

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.audit.models import Entry, Seal
from apps.tenants import clock
from apps.tenants.models import TenantManager, TenantModel, TenantQuerySet


class Health(models.TextChoices):
    HEALTHY = "healthy", _("healthy")
    FAILING = "failing", _("failing")
    PAUSED = "paused", _("paused")


class StreamQuerySet(TenantQuerySet["Stream"]):
    def running(self) -> Self:
        """Those that are neither paused by an owner nor held after a restore."""
        return self.filter(is_paused=False, is_held=False)


StreamManager = TenantManager.from_queryset(StreamQuerySet)


class Stream(TenantModel):
    """One destination. `next_seq` is the place in the log before which everything was taken; only a 2xx moves it on.

    `secret` and `old_secret` are sealed; the old one signs beside the new one until `old_until`. Until `held_until` a job
    has it; `next_at` is when it is tried again after a failure. `told_at` is set while owners know that it fails. After a
    restore it `is_held` until an operator releases what waits, or its owner resumes it.
    """

    audit_type: ClassVar[str] = "audit_stream"

    url = models.CharField(_("address"), max_length=500)
    description = models.CharField(_("note"), max_length=200, blank=True)
    secret = models.TextField()
    old_secret = models.TextField(blank=True)
    old_until = models.DateTimeField(null=True)
    next_seq = models.BigIntegerField(default=0)
    is_paused = models.BooleanField(default=False)
    is_held = models.BooleanField(default=False)
    tries = models.PositiveIntegerField(default=0)
    next_at = models.DateTimeField(null=True)
    held_until = models.DateTimeField(null=True)
    failing_since = models.DateTimeField(null=True)
    last_status = models.PositiveSmallIntegerField(null=True)
    last_error = models.CharField(max_length=300, blank=True)
    last_ms = models.PositiveIntegerField(null=True)
    told_at = models.DateTimeField(null=True)
    taken_at = models.DateTimeField(null=True)
    tested_at = models.DateTimeField(null=True)
    test_result = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    objects: ClassVar[StreamManager] = StreamManager()

    class Meta:
        verbose_name = _("audit stream")
        constraints = [models.UniqueConstraint(fields=["tenant", "url"], name="operations_stream_url")]

    @property
    def host(self) -> str:
        """What lists show of the address: a path can hold a key."""
        return urlsplit(self.url).netloc

    @property
    def health(self) -> Health:
        if self.is_paused or self.is_held:
            return Health.PAUSED
        return Health.FAILING if self.failing_since else Health.HEALTHY

    @property
    def behind(self) -> int:
        """How many sealed entries it has not taken."""
        last = Seal.objects.order_by("-seq").values_list("seq", flat=True).first()
        return 0 if last is None else max(0, last + 1 - self.next_seq)

    @property
    def oldest(self) -> datetime | None:
        """When the first entry was written that it has not taken; None where it has all."""
        return Entry.objects.filter(seals__seq=self.next_seq).values_list("time", flat=True).first()

    @property
    def lag(self) -> timedelta:
        """How old that entry is; nothing where it has all."""
        return max(timedelta(), clock.now() - oldest) if (oldest := self.oldest) else timedelta()
