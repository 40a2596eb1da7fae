"""What the Security page says of AI, checked on the running system."""

from __future__ import annotations

from django.db import connection
from django.utils.translation import gettext as _

from apps.tenants.context import current
from apps.tenants.slots import Finding

from .actions.allowance import allowance
from .actions.ledger import budget_now
from .provider import provider
from .switches import state
from .usage import dollars, ledger_sum


def budget() -> Finding:
    """How much of the tenant's AI budget is spent or held, and whether its ledger says the same."""
    if current().tenant is None:
        return Finding(None, _("Each tenant has a budget of its own; its page shows how much is used."))
    now, found = state(), budget_now()
    if now.off and not found.taken:
        return Finding(True, _("AI off: %(why)s") % {"why": now.reason})
    listed = ledger_sum(found) if found.pk and not found._state.adding else 0
    text = _("AI budget %(p)s %% used: %(used)s of %(limit)s this month.") % {
        "p": found.percent,
        "used": dollars(found.taken),
        "limit": dollars(found.limit),
    }
    if listed != found.spent:
        return Finding(False, text + " " + _("The ledger says %(sum)s.") % {"sum": dollars(listed)})
    # Above the limit is only what was spent before somebody lowered it; no call gets there.
    is_lowered = found.limit == allowance().limit and found.taken > found.limit
    return Finding(True, text + (" " + _("The limit was lowered below that.") if is_lowered else ""))


def ledger() -> Finding:
    """The app can add to the ledger and change nothing there; and for the tenant in force, it adds up."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT has_table_privilege('ai_usageevent', 'UPDATE, DELETE, TRUNCATE')")
        (may_change,) = cursor.fetchone()
    if may_change:
        return Finding(False, _("The app could change its ledger."))
    if current().tenant is None:
        return Finding(True, _("The ledger takes new entries only. %(model)s") % {"model": _model()})
    found = budget()
    return Finding(found.holds, f"{_('The ledger takes new entries only.')} {found.detail}")


def _model() -> str:
    found = provider()
    if not found.is_configured:
        return _("AI off: no model is configured.")
    return _("The model's host is %(host)s.") % {"host": found.host}
