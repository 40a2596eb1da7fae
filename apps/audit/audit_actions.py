"""What the log says of the wall and of itself."""

from django.utils.translation import gettext_lazy as _

ACTIONS = {
    "context.forged": _("Tried to bind a tenant without its signature"),
    "audit.exported": _("Exported the audit log"),
    "log.key_rotated": _("Changed the key that signs the log"),
    "log.key_retired": _("Retired an older key of the log"),
    "log.origin_opened": _("Began the log under a new name after a restore"),
}
