from django.apps import AppConfig


class CommsConfig(AppConfig):
    name = "apps.comms"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from apps.audit.catalogue import register

        from .audit_actions import ACTIONS
        from .panels import fill_slots

        register(ACTIONS)
        fill_slots()
