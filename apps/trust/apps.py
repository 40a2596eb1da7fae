from django.apps import AppConfig


class TrustConfig(AppConfig):
    name = "apps.trust"

    def ready(self) -> None:
        from apps.tenants.slots import slots

        from .probes import PROBES

        for probe in PROBES:
            slots.probes.add(probe)
