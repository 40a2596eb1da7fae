from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from apps.audit.catalogue import Act
from apps.tenants.logged import Fact, Logged, Seen, Settled

# Where something is sent: an address can hold a key, so that only its host stands in the log, and a hash of it all.
TO = ("host", "url_sha256")
ACTIONS = {
    "backup.made": Act(
        _("Took a backup"), _("Database and files were copied, with their hashes."), ("made_at", "files", "parts")
    ),
    "stream.added": Act(
        _("Began to stream the audit log"), _("Entries are sent to an address of the tenant's own."), ("from", *TO)
    ),
    "stream.removed": Act(_("Removed a stream of the audit log"), _("Nothing more is sent there."), ("next", *TO)),
    "stream.paused": Act(_("Paused a stream of the audit log"), _("Nothing is sent until it is resumed."), ("next",)),
    "stream.resumed": Act(_("Resumed a stream of the audit log"), _("It goes on where it was."), ("next",)),
    "stream.replayed": Act(
        _("Sent a part of the audit log again"), _("Everything from a place on is sent once more."), ("from", "before")
    ),
    "stream.failing": Act(
        _("A stream has taken nothing for long"), _("Its owners are told by mail; it is tried on."), ("since", "next")
    ),
    "stream.works": Act(_("A stream works again"), _("Its owners are told by mail."), ("since", "next")),
    "stream.tested": Act(_("Sent a test to a stream"), _("A test event was queued for it.")),
    "stream.secret_rotated": Act(
        _("Replaced the secret of a stream"), _("The old one signs beside the new one for a day."), ("before_until",)
    ),
    "backup.restored": Act(
        _("Restored a backup"), _("The installation is what a backup was."), ("made_at", "files", "parts")
    ),
    "outbox.held": Act(
        _("Held what would go out after a restore"), _("No mail and no webhook goes out until an operator lets them.")
    ),
    "outbox.released": Act(
        _("Let out what waited after a restore"),
        _("Mails, webhooks and streams that a restore had held go on, in every tenant."),
        ("mails", "webhooks", "inbound", "streams"),
    ),
    "stream.released": Act(
        _("Let a stream go on after a restore"), _("The operator ended the hold that a restore puts on it."), ("next",)
    ),
    "context.key_rotated": Act(
        _("Made a new key for the signed context"),
        _("The database takes another key for the signed context."),
        ("key", "retired_others"),
    ),
    "encryption_key.rotated": Act(
        _("Changed the key of what is stored encrypted"),
        _("Another key seals stored secrets, and all are sealed anew by it; keys stand here by their public names."),
        ("key", "older", "kept"),
    ),
    "alarm.seen": Act(
        _("Marked security events as seen"),
        _("A Super Admin has read security events and says so."),
        ("count", "events"),
    ),
}


# What reconciliation expects of the rows of this room.
LOGGED = (Logged("operations.Stream", ("stream.added",), "audit_stream"),)

# What the newest entry about a row leaves behind.
SETTLED = (Settled("operations.Stream.url", "audit_stream", {"stream.added": Fact("url_sha256")}, "url", Seen.SHA256),)


class OperationsConfig(AppConfig):
    name = "apps.operations"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django.core.signals import got_request_exception
        from django.db.backends.signals import connection_created

        from apps.audit.catalogue import register
        from apps.tenants.sealed import tenant_fields
        from apps.tenants.slots import Heartbeat, Probe, Stored, Watcher, slots

        from . import anchors, errors, observe, told
        from .alarms import keeper
        from .models import Stream
        from .probes import backups, observability
        from .streams import sending
        from .streams.actions import PURPOSE
        from .streams.probes import streams

        register(ACTIONS)
        slots.logged.fill(LOGGED)
        slots.stored.add(Stored("streams", _("Streams of the log"), ("operations_stream",), _("until removed")))
        slots.settled.fill(SETTLED)
        for field in ("secret", "old_secret"):
            slots.sealed.add(tenant_fields(f"operations.stream_{field}s", Stream, field, PURPOSE))
        slots.heartbeats.add(Heartbeat("operations.streams", sending.beat))
        slots.probes.add(Probe("operations.streams", streams))
        slots.anchored = anchors.anchored
        slots.anchor_places = anchors.standing
        slots.told_heads = told.told_heads
        slots.heartbeats.add(Heartbeat("operations.anchors", anchors.beat))
        slots.probes.add(Probe("operations.backup", backups))
        slots.probes.add(Probe("operations.observability", observability))
        slots.watchers.add(Watcher("operations.alarms", keeper.hear))
        slots.heartbeats.add(Heartbeat("operations.observe", observe.observe))
        connection_created.connect(errors.watch_connection)
        got_request_exception.connect(errors.watch_request)
