"""Webhooks that go out: where to, what happened, and what became of telling it."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar
from urllib.parse import urlsplit

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from apps.tenants import clock
from apps.tenants.models import TenantForeignKey, TenantManager, TenantModel, TenantQuerySet


class OffReason(models.TextChoices):
    """Why an endpoint is off."""

    ON = "", _("on")
    OWNER = "owner", _("switched off")
    FAILING = "failing", _("off, because nothing was taken for days")
    GONE = "gone", _("off, because it answered 410 Gone")


class WebhookEndpoint(TenantModel):
    """An address of the tenant's own that is told about events; `events` names the types it asks for."""

    audit_type: ClassVar[str] = "webhook"

    url = models.CharField(_("address"), max_length=500)
    description = models.CharField(_("note"), max_length=200, blank=True)
    events = models.JSONField(_("events"), default=list)
    off = models.CharField(max_length=10, choices=OffReason.choices, default=OffReason.ON, blank=True)
    failing_since = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        verbose_name = _("webhook endpoint")
        constraints = [models.UniqueConstraint(fields=["tenant", "url"], name="comms_endpoint_url")]

    @property
    def is_active(self) -> bool:
        return self.off == OffReason.ON

    @property
    def host(self) -> str:
        """What lists show of the address: a path can hold a key."""
        return urlsplit(self.url).netloc


class SecretQuerySet(TenantQuerySet["WebhookSecret"]):
    def active(self) -> SecretQuerySet:
        """Those that sign now, the newest first."""
        return self.filter(Q(expires_at=None) | Q(expires_at__gt=clock.now())).order_by("-created_at")


SecretManager = TenantManager.from_queryset(SecretQuerySet)


class WebhookSecret(TenantModel):
    """A signing secret, encrypted; a replaced one signs beside its successor until it expires."""

    endpoint = TenantForeignKey(WebhookEndpoint, models.CASCADE, related_name="secrets")
    sealed = models.TextField()
    created_at = models.DateTimeField(default=clock.now, editable=False)
    expires_at = models.DateTimeField(null=True)

    objects: ClassVar[SecretManager] = SecretManager()

    class Meta:
        verbose_name = _("webhook secret")


class WebhookEvent(TenantModel):
    """Something that happened, as it is told: `payload` is the exact text that is signed."""

    type = models.CharField(max_length=60)
    payload = models.TextField()
    occurred_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        verbose_name = _("webhook event")

    @property
    def message_id(self) -> str:
        """The `webhook-id`: the same at every attempt and every endpoint, so that a receiver knows a repetition."""
        return f"msg_{self.pk.hex}"


class DeliveryState(models.TextChoices):
    QUEUED = "queued", _("waiting")
    DELIVERED = "delivered", _("delivered")
    DEAD = "dead", _("given up")


class WebhookDelivery(TenantModel):
    """One event for one endpoint. `tries` counts since it was last queued, `attempts` all of them."""

    audit_type: ClassVar[str] = "webhook_delivery"

    endpoint = TenantForeignKey(WebhookEndpoint, models.CASCADE, related_name="deliveries")
    event = TenantForeignKey(WebhookEvent, models.CASCADE, related_name="deliveries")
    state = models.CharField(max_length=10, choices=DeliveryState.choices, default=DeliveryState.QUEUED)
    attempts = models.PositiveIntegerField(default=0)
    tries = models.PositiveSmallIntegerField(default=0)
    last_status = models.PositiveSmallIntegerField(null=True)
    last_error = models.CharField(max_length=300, blank=True)
    next_at = models.DateTimeField(null=True)
    queued_at = models.DateTimeField(default=clock.now, editable=False)
    done_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("webhook delivery")
        constraints = [models.UniqueConstraint(fields=["tenant", "endpoint", "event"], name="comms_delivery_once")]
        indexes = [models.Index(fields=["tenant", "endpoint", "queued_at"], name="comms_delivery_log")]


class WebhookAttempt(TenantModel):
    """One call. Neither `status` nor `error` means that the worker died before it could write down what came."""

    delivery = TenantForeignKey(WebhookDelivery, models.CASCADE, related_name="calls")
    started_at = models.DateTimeField(default=clock.now, editable=False)
    status = models.PositiveSmallIntegerField(null=True)
    milliseconds = models.PositiveIntegerField(null=True)
    error = models.CharField(max_length=300, blank=True)
    excerpt = models.CharField(max_length=500, blank=True)

    class Meta:
        verbose_name = _("webhook attempt")


KEPT = timedelta(days=30)
