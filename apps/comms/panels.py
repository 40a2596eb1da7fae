"""What this room puts into the shell and the Security page."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from apps.tenants.slots import InboundHandler, Probe, SettingsPage, slots

from . import probes
from .channel import deal_with


def fill_slots() -> None:
    """Called once, when the room is ready."""
    slots.settings_pages.add(SettingsPage("webhooks", _("Webhooks"), "settings.read", "comms:webhooks", order=72))
    slots.inbound.add(InboundHandler("comms", deal_with))
    slots.probes.add(Probe("comms.webhooks_in", probes.webhooks_in))
    slots.probes.add(Probe("comms.webhooks_out", probes.webhooks_out))
