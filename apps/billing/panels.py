"""What this room puts into the shell and the Security page."""

from __future__ import annotations

from django.db import connection
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.tenants.context import current
from apps.tenants.slots import Banner, Finding, Gate, InboundHandler, Probe, SettingsPage, slots

from . import usage
from .events import deal_with
from .gate import EXEMPT, banner, refuse_after_trial
from .models import Counter


def fill_slots() -> None:
    """Called once, when the room is ready."""
    add = slots.settings_pages.add
    add(SettingsPage("usage", gettext_lazy("Usage"), "settings.read", "billing:usage", 60, "gauge"))
    add(SettingsPage("billing", gettext_lazy("Billing"), "settings.read", "billing:billing", 61, "credit-card"))
    slots.gates.add(Gate("billing.trial", refuse_after_trial))
    slots.banners.add(Banner("billing.trial", banner))
    slots.explain_limit = usage.explain
    slots.inbound.add(InboundHandler("stripe", deal_with))
    slots.probes.add(Probe("billing.quotas", quotas))
    slots.probes.add(Probe("billing.trial", trial))


def quotas() -> Finding:
    """Every counted table has its trigger, and the app can only read what they count."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'orkestra_meter_%' AND tgdeferrable AND tgenabled = 'O'"
        )
        (triggers,) = cursor.fetchone()
        cursor.execute("SELECT has_table_privilege('billing_counter', 'INSERT, UPDATE, DELETE')")
        (may_write,) = cursor.fetchone()
    text = _("%(n)s tables are counted by the database at commit.") % {"n": triggers}
    if current().tenant is not None:
        over = [meter for meter in usage.meters(usage.subscription()) if meter.percent > 100]
        text = f"{text} " + _("%(n)s counters of this tenant, %(over)s above its limit.") % {
            "n": Counter.objects.count(),
            "over": len(over),
        }
    return Finding(triggers >= METERED and not may_write, text)


METERED = 5


def trial() -> Finding:
    """The gate stands in the way of writes, and says which routes it lets through."""
    holds = slots.gates.get("billing.trial") is not None
    return Finding(holds, _("Writes are locked after a trial, but for %(n)s kinds of route.") % {"n": len(EXEMPT)})
