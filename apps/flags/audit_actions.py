"""What this room writes into the audit log."""

from django.utils.translation import gettext_lazy as _

from apps.audit.catalogue import Act
from apps.tenants.logged import Fact, Logged, Settled

ACTIONS = {
    "flag.created": Act(_("Made a feature flag"), _("A switch of the whole installation."), ("algo", "salt")),
    "flag.changed": Act(
        _("Changed a feature flag"),
        _("The switch or its rollout changed in the whole installation."),
        ("before", "after", "version"),
    ),
    "flag.overridden": Act(
        _("Changed a feature flag for this tenant"), _("The switch differs for this tenant alone."), ("before", "after")
    ),
}

# What reconciliation expects of the rows of this room.
LOGGED = (Logged("flags.FlagOverride", ("flag.overridden",), "flag", "flag_id", {"after": "is_on"}),)

# What the newest entry about a row leaves behind.
SETTLED = (
    Settled("flags.FlagOverride.is_on", "flag", {"flag.overridden": Fact("after")}, "is_on", id_column="flag_id"),
)
