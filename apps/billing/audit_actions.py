"""What this room writes into the audit log."""

from django.utils.translation import gettext_lazy as _

from apps.audit.catalogue import Act
from apps.tenants.logged import Logged

ACTIONS = {
    "plan.defined": Act(
        _("Defined a version of a plan"),
        _("From now on the plan means this; tenants on an earlier version keep it."),
        ("plan", "version", "limits", "limits_before", "log_days", "log_days_before"),
    ),
    "plan.started": Act(_("Started with a plan"), _("The tenant's first plan."), ("plan", "version", "trial_ends_at")),
    "plan.changed": Act(
        _("Changed the plan"), _("The tenant is on another plan."), ("plan", "version", "before", "trial_ends_at")
    ),
    "quota.overridden": Act(
        _("Changed a limit of this tenant alone"),
        _("A limit differs from the plan's, for this tenant alone."),
        ("resource", "most", "before"),
    ),
}

# What reconciliation expects of the rows of this room.
LOGGED = (Logged("billing.Subscription", ("plan.started",), "subscription"),)
