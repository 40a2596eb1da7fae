"""Running a probe: for the tenant in force, for a visitor, or over the whole installation."""

from __future__ import annotations

from django.utils.translation import gettext as _

from .context import NOBODY, TenantContext, current, tenant_context
from .slots import Finding, Probe

PLATFORM = TenantContext(platform=True, credential="system")


def look(probe: Probe) -> Finding:
    """What it sees in the context in force. A visitor is shown nothing of tenants' rows, so nothing is said to hold."""
    acting = current()
    if probe.of_tenants and acting.tenant is None and not acting.platform:
        return Finding(None, _("Not seen from outside: Settings → Security of each tenant checks its rows."))
    return probe.run()


def look_across(probe: Probe) -> Finding:
    """What a visitor would see; and of tenants' rows, what the platform's role sees of all of them."""
    with tenant_context(PLATFORM if probe.of_tenants else NOBODY):
        return look(probe)
