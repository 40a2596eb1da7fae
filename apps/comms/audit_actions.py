"""What this room writes into the audit log."""

from django.utils.translation import gettext_lazy as _

ACTIONS = {
    "webhook.created": _("Added a webhook endpoint"),
    "webhook.changed": _("Changed a webhook endpoint"),
    "webhook.deleted": _("Removed a webhook endpoint"),
    "webhook.secret_rotated": _("Replaced the secret of a webhook endpoint"),
    "webhook.secret_ended": _("Ended the old secret of a webhook endpoint"),
    "webhook.tested": _("Sent a test to a webhook endpoint"),
    "webhook.resent": _("Sent a webhook again"),
    "webhook.disabled": _("Switched off a webhook endpoint that takes nothing"),
    "mail.bounced": _("A mail came back"),
    "mail.complained": _("A mail was reported as spam"),
}
