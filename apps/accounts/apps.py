from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

PAGES = {
    "general": (_("General"), "sliders-horizontal"),
    "members": (_("Members"), "users"),
    "teams": (_("Teams"), "network"),
    "roles": (_("Roles"), "table-2"),
    "api-keys": (_("API keys"), "key-round"),
}


class AccountsConfig(AppConfig):
    name = "apps.accounts"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from apps.audit.catalogue import register
        from apps.tenants.slots import Banner, Heartbeat, Probe, SettingsPage, Tally, slots

        from . import limits, people, probes, revocation, schema, second_factor, support  # noqa: F401  registers the bearer scheme
        from .actions.leaving import KEYS
        from .audit_actions import ACTIONS

        register(ACTIONS)
        for order, (key, (title, icon)) in enumerate(PAGES.items()):
            page = SettingsPage(key, title, "settings.read", f"accounts:{key}", 10 + order, icon)
            slots.settings_pages.add(page)
        slots.probes.add(Probe("accounts.revocation", probes.revoked))
        slots.probes.add(Probe("accounts.roles", probes.roles))
        slots.probes.add(Probe("accounts.guessing", probes.guessing))
        slots.probes.add(Probe("accounts.sessions", probes.sessions))
        slots.probes.add(Probe("accounts.api_keys", probes.api_keys))
        slots.probes.add(Probe("accounts.second_factor", probes.second_factor))
        slots.leaving.add(KEYS)
        slots.heartbeats.add(Heartbeat("accounts.limits", limits.forget_old))
        slots.heartbeats.add(Heartbeat("accounts.revocations", revocation.copy_to_cache))
        leave = ("/account/support/leave/", _("Leave"))
        slots.banners.add(Banner("accounts.support", support.banner, leave))
        slots.actor_names = people.actor_names
        slots.memberships = people.memberships_of
        slots.owners = people.owners
        slots.tallies.add(Tally("accounts.members", "members", people.seats_taken))
        slots.tallies.add(Tally("accounts.invitations", "members", people.seats_kept))
        slots.has_second_factor = second_factor.is_set_up
