"""Whether a call may be made at all: the first switch that is off says why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.conf import settings
from django.core.exceptions import ObjectDoesNotExist
from django.utils.translation import gettext_lazy as _

from apps.flags.evaluation import evaluate, is_enabled
from apps.tenants.refusals import Forbidden

from .models import Allowance
from .provider import Provider, provider

GLOBAL_FLAG = "ai"


class Off(StrEnum):
    """Why there is no AI."""

    UNCONFIGURED = "unconfigured"
    FAULTY = "faulty"
    KILLED = "killed"
    FLAG = "flag"
    PROVIDER = "provider"
    NOT_GRANTED = "not_granted"
    TENANT = "tenant"
    FEATURE = "feature"


REASONS: dict[Off, Any] = {
    Off.UNCONFIGURED: _("No model is configured on this installation."),
    Off.FAULTY: _(
        "The model is not configured correctly; whoever runs this installation sees why by manage.py ai_budget show."
    ),
    Off.KILLED: _("Whoever runs this installation has switched AI off for everybody."),
    Off.FLAG: _("AI is switched off by its feature flag."),
    Off.PROVIDER: _("Calls to this provider are switched off."),
    Off.NOT_GRANTED: _("Whoever runs this installation has not given this tenant AI."),
    Off.TENANT: _("No owner of this tenant has switched AI on."),
    Off.FEATURE: _("This feature is switched off by its feature flag."),
}


class AiOff(Forbidden):
    """AI is off; `reason` is the switch that says so."""

    def __init__(self, off: Off) -> None:
        super().__init__(REASONS[off], code="ai_off", reason=off.value)
        self.off = off


@dataclass(frozen=True)
class State:
    """Where the tenant in force stands; `off` is None when calls are made."""

    off: Off | None
    provider: Provider

    @property
    def reason(self) -> Any:
        return REASONS[self.off] if self.off else ""


def provider_flag(host: str) -> str:
    """The flag whose kill stops everything that goes to a host."""
    return f"ai.provider.{host.lower()}"[:100]


def state(feature: str = "") -> State:
    """Every switch, asked now: the environment, the flags, the provider, the tenant, the feature."""
    found = provider()
    return State(_off(found, feature), found)


def demand(feature: str) -> Provider:
    """The provider to call. Raises AiOff."""
    found = state(feature)
    if found.off:
        raise AiOff(found.off)
    return found.provider


def _off(found: Provider, feature: str) -> Off | None:
    if not found.is_configured:
        return Off.UNCONFIGURED
    if settings.AI_KILLED:
        return Off.KILLED
    if found.fault:
        return Off.FAULTY
    if not is_enabled(GLOBAL_FLAG):
        return Off.FLAG
    if _is_killed(provider_flag(found.host)):
        return Off.PROVIDER
    allowance = Allowance.objects.first()
    if allowance is None or not allowance.is_granted:
        return Off.NOT_GRANTED
    if not allowance.is_on:
        return Off.TENANT
    return Off.FEATURE if feature and not is_enabled(feature) else None


def _is_killed(key: str) -> bool:
    """Whether a flag that need not exist says no."""
    try:
        return not evaluate(key).value
    except ObjectDoesNotExist:
        return False
