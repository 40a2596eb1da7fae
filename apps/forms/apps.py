from django.apps import AppConfig


class FormsConfig(AppConfig):
    name = "apps.forms"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from apps.audit.catalogue import register

        from . import panels
        from .audit_actions import ACTIONS

        register(ACTIONS)
        panels.fill_slots()
