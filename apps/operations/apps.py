from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

ACTIONS = {
    "backup.made": _("Took a backup"),
    "backup.restored": _("Restored a backup"),
    "context.key_rotated": _("Made a new key for the signed context"),
}


class OperationsConfig(AppConfig):
    name = "apps.operations"

    def ready(self) -> None:
        from apps.audit.catalogue import register
        from apps.tenants.slots import Probe, slots

        from .probes import backups

        register(ACTIONS)
        slots.probes.add(Probe("operations.backup", backups))
