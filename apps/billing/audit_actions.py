"""What this room writes into the audit log."""

from django.utils.translation import gettext_lazy as _

ACTIONS = {
    "plan.started": _("Started with a plan"),
    "plan.changed": _("Changed the plan"),
    "quota.overridden": _("Changed a limit of this tenant alone"),
}
