"""What this room writes into the audit log."""

from django.utils.translation import gettext_lazy as _

from apps.audit.catalogue import Act
from apps.tenants.logged import Fact, Logged, Seen, Settled

# Where something is sent: an address can hold a key, so that only its host stands in the log, and a hash of it all.
TO = ("host", "url_sha256")
ACTIONS = {
    "webhook.created": Act(
        _("Added a webhook endpoint"), _("Events will be sent to an address of the tenant's own."), ("events", *TO)
    ),
    "webhook.changed": Act(
        _("Changed a webhook endpoint"),
        _("Its address, its events or its switch changed."),
        ("fields", "events", "events_before", "off", "off_before", *TO, "host_before", "url_sha256_before"),
    ),
    "webhook.deleted": Act(_("Removed a webhook endpoint"), _("Nothing is sent there any more."), ("deliveries", *TO)),
    "webhook.secret_rotated": Act(
        _("Replaced the secret of a webhook endpoint"),
        _("Messages are signed with a new secret; the old one signs beside it for a while."),
        ("before_until",),
    ),
    "webhook.secret_ended": Act(
        _("Ended the old secret of a webhook endpoint"), _("Only the new secret signs from now on."), ("secrets",)
    ),
    "webhook.tested": Act(_("Sent a test to a webhook endpoint"), _("A test event was queued for it.")),
    "webhook.resent": Act(_("Sent a webhook again"), _("A delivery is tried again."), ("attempts",)),
    "webhook.disabled": Act(
        _("Switched off a webhook endpoint that takes nothing"),
        _("It failed for so long that nothing is sent there any more."),
        ("reason",),
    ),
    "mail.bounced": Act(_("A mail came back"), _("The provider could not deliver it."), ("template", "attempts")),
    "mail.complained": Act(
        _("A mail was reported as spam"), _("Its recipient called it spam."), ("template", "attempts")
    ),
}

# What reconciliation expects of the rows of this room.
LOGGED = (Logged("comms.WebhookEndpoint", ("webhook.created",), "webhook"),)

# What the newest entry about a row leaves behind.
SETTLED = (
    Settled(
        "comms.WebhookEndpoint.url",
        "webhook",
        dict.fromkeys(("webhook.created", "webhook.changed"), Fact("url_sha256")),
        "url",
        Seen.SHA256,
    ),
)
