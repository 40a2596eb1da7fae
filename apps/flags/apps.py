from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class FlagsConfig(AppConfig):
    name = "apps.flags"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from apps.audit.catalogue import register
        from apps.tenants.slots import Probe, SettingsPage, slots

        from .audit_actions import ACTIONS, LOGGED, SETTLED
        from .probes import cohorts

        register(ACTIONS)
        slots.logged.fill(LOGGED)
        slots.settled.fill(SETTLED)
        slots.settings_pages.add(SettingsPage("flags", _("Feature flags"), "settings.read", "flags:list", 70, "flag"))
        slots.probes.add(Probe("flags.cohorts", cohorts))
