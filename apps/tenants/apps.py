from django.apps import AppConfig
from django.contrib.admin import apps as admin


class TenantsConfig(AppConfig):
    name = "apps.tenants"
    default = True
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import checks  # noqa: F401  registers the system checks


class PlatformAdminConfig(admin.AdminConfig):
    """Django's admin with our own site."""

    default = False
    default_site = "apps.tenants.platform_site.PlatformSite"
