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
        from .actions.leaving import INVITATIONS, KEYS, KEYS_MADE, TEAMS
        from .audit_actions import ACTIONS, LOGGED, SETTLED

        register(ACTIONS)
        slots.logged.fill(LOGGED)
        slots.settled.fill(SETTLED)
        self._how_people_sign_in()
        for order, (key, (title, icon)) in enumerate(PAGES.items()):
            page = SettingsPage(key, title, "settings.read", f"accounts:{key}", 10 + order, icon)
            slots.settings_pages.add(page)
        slots.probes.add(Probe("accounts.revocation", probes.revoked))
        slots.probes.add(Probe("accounts.roles", probes.roles))
        slots.probes.add(Probe("accounts.guessing", probes.guessing))
        slots.probes.add(Probe("accounts.sessions", probes.sessions))
        slots.probes.add(Probe("accounts.api_keys", probes.api_keys, of_tenants=True))
        slots.probes.add(Probe("accounts.service_accounts", probes.service_accounts, of_tenants=True))
        slots.probes.add(Probe("accounts.step_up", probes.step_up))
        slots.leaving.fill([TEAMS, KEYS, KEYS_MADE, INVITATIONS])
        slots.heartbeats.add(Heartbeat("accounts.limits", limits.forget_old))
        slots.heartbeats.add(Heartbeat("accounts.revocations", revocation.copy_to_cache))
        leave = ("/account/support/leave/", _("Leave"))
        slots.banners.add(Banner("accounts.support", support.banner, leave))
        slots.actor_names = people.actor_names
        slots.actors = people.actors
        slots.memberships = people.memberships_of
        slots.may_begin_another = people.may_begin_another
        slots.is_limited = people.is_limited
        slots.owners = people.owners
        slots.tallies.add(Tally("accounts.members", "members", people.seats_taken))
        slots.tallies.add(Tally("accounts.invitations", "members", people.seats_kept))
        slots.has_second_factor = second_factor.is_set_up

    def _how_people_sign_in(self) -> None:
        """What single sign-on and the second factor give to other rooms."""
        from apps.tenants.sealed import tenant_fields
        from apps.tenants.slots import Banner, HomePanel, Probe, SealedFields, SettingsPage, slots

        from . import factor_policy, probes, sealed
        from .models import SsoConnection
        from .sso import probes as sso
        from .sso.models import PURPOSE

        slots.settings_pages.add(
            SettingsPage("sso", _("Single sign-on"), "settings.read", "accounts:sso", 51, "log-in")
        )
        slots.security_panels.add(
            HomePanel("accounts.factor_policy", "settings/factor_policy.html", factor_policy.panel, 10)
        )
        slots.banners.add(Banner("accounts.factor_due", factor_policy.banner))
        slots.probes.add(Probe("accounts.second_factor", probes.second_factor))
        slots.probes.add(Probe("accounts.passkeys", probes.passkeys))
        slots.probes.add(Probe("accounts.sso", sso.forged_answers))
        slots.sealed.add(SealedFields("accounts.second_factors", sealed.factor_keys, sealed.reseal_factors))
        slots.sealed.add(SealedFields("accounts.signing_keys", sealed.signing_key_names, sealed.reseal_signing_keys))
        slots.sealed.add(tenant_fields("accounts.sso", SsoConnection, "client_secret", PURPOSE))
