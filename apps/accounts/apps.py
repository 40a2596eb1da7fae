from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "apps.accounts"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from apps.audit.catalogue import register
        from apps.tenants.slots import slots

        from . import people, schema  # noqa: F401  registers the bearer scheme
        from .audit_actions import ACTIONS

        register(ACTIONS)
        slots.actor_names = people.actor_names
        slots.memberships = people.memberships_of
