"""What this room writes into the audit log."""

from django.utils.translation import gettext_lazy as _

ACTIONS = {
    "flag.created": _("Made a feature flag"),
    "flag.changed": _("Changed a feature flag"),
    "flag.overridden": _("Changed a feature flag for this tenant"),
}
