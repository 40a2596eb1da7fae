from django.apps import AppConfig


class CommsConfig(AppConfig):
    name = "apps.comms"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from apps.audit.catalogue import register
        from apps.tenants.slots import Dependency, slots

        from .audit_actions import ACTIONS
        from .mail_server import check
        from .panels import fill_slots

        register(ACTIONS)
        fill_slots()
        slots.dependencies.add(Dependency("mail", check))
