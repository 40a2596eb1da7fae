from django.apps import AppConfig


class TrustConfig(AppConfig):
    name = "apps.trust"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django.utils.translation import gettext_lazy as _

        from apps.audit.catalogue import register
        from apps.tenants.slots import PlatformPage, SettingsPage, slots

        from .platform_pages import claims_page
        from .policy.audit_actions import ACTIONS
        from .probes import PROBES

        register(ACTIONS)

        page = SettingsPage("security", _("Security"), "settings.read", "trust:security", 50, "shield-check")
        slots.settings_pages.add(page)
        slots.platform_pages.add(PlatformPage("claims", _("Claims and their probes"), claims_page, order=10))
        for probe in PROBES:
            slots.probes.add(probe)
