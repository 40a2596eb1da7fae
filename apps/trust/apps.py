from django.apps import AppConfig


class TrustConfig(AppConfig):
    name = "apps.trust"

    def ready(self) -> None:
        from django.utils.translation import gettext_lazy as _

        from apps.tenants.slots import SettingsPage, slots

        from .probes import PROBES

        page = SettingsPage("security", _("Security"), "settings.read", "trust:security", 50, "shield-check")
        slots.settings_pages.add(page)
        for probe in PROBES:
            slots.probes.add(probe)
