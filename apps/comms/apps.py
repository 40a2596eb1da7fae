from django.apps import AppConfig


class CommsConfig(AppConfig):
    name = "apps.comms"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from apps.audit.catalogue import register
        from apps.tenants.sealed import global_fields, tenant_fields
        from apps.tenants.slots import Dependency, slots

        from .actions import endpoints, inbox
        from .audit_actions import ACTIONS, LOGGED, SETTLED
        from .mail_server import check
        from .models import InboundEvent, WebhookSecret
        from .panels import fill_slots

        register(ACTIONS)
        slots.logged.fill(LOGGED)
        slots.settled.fill(SETTLED)
        fill_slots()
        slots.sealed.add(tenant_fields("comms.webhook_secrets", WebhookSecret, "sealed", endpoints.PURPOSE))
        slots.sealed.add(global_fields("comms.inbound_webhooks", InboundEvent, "sealed", inbox.PURPOSE))
        slots.dependencies.add(Dependency("mail", check))
