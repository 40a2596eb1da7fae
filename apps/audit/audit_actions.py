"""What the log says of the wall and of itself."""

from django.utils.translation import gettext_lazy as _

ACTIONS = {
    "context.forged": _("Tried to bind a tenant without its signature"),
    "audit.exported": _("Exported the audit log"),
}
