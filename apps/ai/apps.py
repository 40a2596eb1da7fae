from django.apps import AppConfig


class AiConfig(AppConfig):
    name = "apps.ai"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from apps.audit.catalogue import register
        from apps.tenants.slots import slots

        from .audit_actions import ACTIONS, LOGGED
        from .panels import fill_slots

        register(ACTIONS)
        slots.logged.fill(LOGGED)
        fill_slots()
