"""Whether a call may be made at all: the first switch that is off says why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.conf import settings
from django.core.exceptions import ObjectDoesNotExist
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.flags.evaluation import evaluate, is_enabled
from apps.tenants.refusals import Forbidden

from .models import Allowance
from .provider import Provider, provider

GLOBAL_FLAG = "ai"
SUMMARY = "ai.summary"


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
class Switch:
    """One of them: `off` is the reason that it gives when it is not on."""

    off: Off
    title: Any
    is_on: bool


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


def state(feature: str = SUMMARY) -> State:
    """Where the first switch that is off is found, asked now."""
    found = provider()
    return State(next((switch.off for switch in _switches(found, feature) if not switch.is_on), None), found)


def switches(feature: str = SUMMARY) -> list[Switch]:
    """Every switch as it stands now, from the installation's to the feature's."""
    return list(_switches(provider(), feature))


def demand(feature: str) -> Provider:
    """The provider to call. Raises AiOff."""
    found = state(feature)
    if found.off:
        raise AiOff(found.off)
    return found.provider


def _switches(found: Provider, feature: str) -> Iterator[Switch]:
    """In the order in which they are asked; whoever stops at the first that is off asks no further."""
    yield Switch(Off.UNCONFIGURED, _("A model is named"), found.is_configured)
    yield Switch(Off.KILLED, _("The installation's own switch"), not settings.AI_KILLED)
    yield Switch(Off.FAULTY, _("Address and price can be used"), found.is_configured and not found.fault)
    yield Switch(Off.FLAG, gettext("Flag %(key)s") % {"key": GLOBAL_FLAG}, is_enabled(GLOBAL_FLAG))
    yield Switch(Off.PROVIDER, _("This provider"), not found.host or not _is_killed(provider_flag(found.host)))
    allowance = Allowance.objects.first() or Allowance()
    yield Switch(Off.NOT_GRANTED, _("Granted to this tenant"), allowance.is_granted)
    yield Switch(Off.TENANT, _("Agreed to by an owner"), allowance.is_on)
    yield Switch(Off.FEATURE, gettext("Flag %(key)s") % {"key": feature}, is_enabled(feature))


def _is_killed(key: str) -> bool:
    """Whether a flag that need not exist says no."""
    try:
        return not evaluate(key).value
    except ObjectDoesNotExist:
        return False
