"""What this room puts into the shell and the Security page."""

from __future__ import annotations

from datetime import timedelta

from django.db import connection
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.tenants import clock
from apps.tenants.context import current
from apps.tenants.slots import Banner, Finding, Gate, InboundHandler, Probe, SettingsPage, slots

from . import usage
from .events import deal_with
from .exempt import EXEMPT, passes
from .gate import banner, refuse_after_trial
from .models import Counter, Subscription


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
A_DAY = timedelta(days=1)
NEW = ("/api/v1/forms", "/t/probe/forms/new/", "/t/probe/settings/members/", "/t/probe/settings/webhooks/")
OPEN = (("GET", "/api/v1/forms"), ("DELETE", "/api/v1/forms/probe"), ("POST", "/t/probe/settings/billing/checkout/"))


def trial() -> Finding:
    """The gate stands before every page, a made-up trial of yesterday is over, and what would be new does not pass."""
    now = clock.now()
    over, running = (Subscription(trial_ends_at=now + day).trial_is_over for day in (-A_DAY, A_DAY))
    locked = not any(passes("POST", path) for path in NEW)
    opened = all(passes(method, path) for method, path in OPEN)
    gate = slots.gates.get("billing.trial")
    holds = gate is not None and gate.run is refuse_after_trial and over and not running and locked and opened
    text = _("A trial made up as ended yesterday is over; what is new is locked, but for %(n)s kinds of address.")
    return Finding(holds, text % {"n": len(EXEMPT)})
