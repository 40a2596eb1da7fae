from django.apps import AppConfig


class FormsConfig(AppConfig):
    name = "apps.forms"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from apps.audit.catalogue import register
        from apps.tenants.slots import slots

        from . import panels
        from .actions.leaving import LEAVING, PATHS
        from .actions.ownership import role_owns, team_owns
        from .attested import ATTESTED, fits_its_hash
        from .audit_actions import ACTIONS, LOGGED, SETTLED

        register(ACTIONS)
        slots.logged.fill(LOGGED)
        slots.settled.fill(SETTLED)
        slots.attested.fill(ATTESTED)
        slots.leaving.add(LEAVING)
        slots.leaving.add(PATHS)
        slots.team_owns, slots.role_owns = team_owns, role_owns
        slots.fits_its_hash = fits_its_hash
        panels.fill_slots()
