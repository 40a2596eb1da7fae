from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "apps.audit"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django.utils.translation import gettext_lazy as _

        from apps.tenants.logged import Attested
        from apps.tenants.slots import Heartbeat, Probe, SettingsPage, Watcher, slots

        from . import background, instance, private, probes, searched
        from .audit_actions import ACTIONS, LOGGED
        from .catalogue import register
        from .forgeries import record_forgery

        register(ACTIONS)
        slots.logged.fill(LOGGED)
        slots.attested.add(Attested("audit.PrivateValue", private.differing))
        slots.attested.add(Attested("audit.Word", searched.unfindable))
        slots.watchers.add(Watcher("audit.forgeries", record_forgery))

        slots.settings_pages.add(
            SettingsPage(
                key="audit-log", title=_("Audit log"), permission="audit.read", url_name="audit:log", icon="scroll-text"
            )
        )
        slots.fault_of_audit_key = instance.fault_of_key
        slots.heartbeats.add(Heartbeat("audit.verify", background.beat))
        slots.probes.add(Probe("audit.chain", probes.chain))
        slots.probes.add(Probe("audit.signed", probes.signed))
        slots.probes.add(Probe("audit.reconciled", probes.reconciled))
        slots.probes.add(Probe("audit.append_only", probes.append_only))
