from django.apps import AppConfig


class ApprovalsConfig(AppConfig):
    name = "apps.approvals"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from apps.audit.catalogue import register
        from apps.tenants.slots import slots

        from . import panels
        from .actions import leaving, standing_in
        from .attested import ATTESTED
        from .audit_actions import ACTIONS, LOGGED, SETTLED

        register(ACTIONS)
        slots.logged.fill(LOGGED)
        slots.settled.fill(SETTLED)
        slots.attested.fill(ATTESTED)
        slots.leaving.add(leaving.LEAVING)
        slots.leaving.add(standing_in.LEAVING)
        panels.fill_slots()
