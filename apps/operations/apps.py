from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from apps.audit.catalogue import Act

ACTIONS = {
    "backup.made": Act(
        _("Took a backup"), _("Database and files were copied, with their hashes."), ("made_at", "files", "parts")
    ),
    "backup.restored": Act(
        _("Restored a backup"), _("The installation is what a backup was."), ("made_at", "files", "parts")
    ),
    "context.key_rotated": Act(
        _("Made a new key for the signed context"),
        _("The database takes another key for the signed context."),
        ("key", "retired_others"),
    ),
    "alarm.seen": Act(
        _("Marked security events as seen"),
        _("A Super Admin has read security events and says so."),
        ("by", "count", "events"),
    ),
}


class OperationsConfig(AppConfig):
    name = "apps.operations"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django.core.signals import got_request_exception
        from django.db.backends.signals import connection_created

        from apps.audit.catalogue import register
        from apps.tenants.slots import Heartbeat, Probe, Watcher, slots

        from . import anchors, errors, observe
        from .alarms import keeper
        from .probes import backups, observability

        register(ACTIONS)
        slots.anchored = anchors.anchored
        slots.heartbeats.add(Heartbeat("operations.anchors", anchors.beat))
        slots.probes.add(Probe("operations.backup", backups))
        slots.probes.add(Probe("operations.observability", observability))
        slots.watchers.add(Watcher("operations.alarms", keeper.hear))
        slots.heartbeats.add(Heartbeat("operations.observe", observe.observe))
        connection_created.connect(errors.watch_connection)
        got_request_exception.connect(errors.watch_request)
