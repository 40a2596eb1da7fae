"""Step-up: what is dangerous asks whether it is really this person, now."""

from __future__ import annotations

from datetime import timedelta

from django.utils.translation import gettext_lazy as _

from . import clock
from .context import current
from .refusals import Forbidden, Problem, Text
from .slots import slots

FRESH_FOR = timedelta(minutes=5)
# `amr` of a session or a token in which a second factor was shown, here or at a provider that is trusted for it.
SHOWN = frozenset({"otp", "kba", "hwk", "mfa"})
# Every act that asks again; a test walks the list at the page and at the API.
DANGEROUS: dict[str, Text] = {
    "address.change": _("Change one's e-mail address"),
    "api_key.create": _("Make an API key"),
    "billing.change": _("Change what is bought"),
    "delegation.create": _("Let a member decide in another's place"),
    "export.ask": _("Take all data out, and fetch the file"),
    "factor.change": _("Set up or give up a second factor, or make recovery codes"),
    "factor.require": _("Say whether members need a second factor"),
    "form.delete": _("Delete a form"),
    "form.own": _("Make somebody the owner of a form, by a team or a role too, or no longer"),
    "form.take": _("Take a form that nobody owns"),
    "invitation.owner": _("Invite somebody as owner"),
    "log_export.private": _("Take the log out with addresses and browsers"),
    "privacy.erase": _("Erase the addresses and browsers that a member came with"),
    "role.owner": _("Make a member an owner, or no longer; shut an owner out, or let one in again"),
    "service_account.change": _("Make a service account, or let it do more"),
    "sso.change": _("Change single sign-on"),
    "step.staff": _("Name people for a step that nobody may decide"),
    "stream.add": _("Stream the audit log to an address"),
    "stream.rotate": _("Change the secret of a stream"),
    "support.enter": _("Enter a tenant as a Super Admin"),
    "tenant.suspend": _("Suspend a tenant, or open it again"),
    "webhook.create": _("Add a webhook endpoint"),
    "webhook.move": _("Send a webhook's events to another address"),
    "webhook.rotate": _("Change a webhook's secret"),
}


class NotFresh(Problem):
    """RFC 9470: sign in again. The API answers 401 with a challenge, a page leads to the question and back."""

    status, code = 401, "insufficient_user_authentication"
    title = _("Confirm that it is you")

    def __init__(self) -> None:
        super().__init__(_("This needs a sign-in that is not older than five minutes, with your second factor."))
        self.extra = {"max_age": int(FRESH_FOR.total_seconds())}

    @property
    def challenge(self) -> str:
        """The WWW-Authenticate value of RFC 9470, section 3."""
        return f'Bearer realm="orkestra", error="{self.code}", max_age="{self.extra["max_age"]}"'


def require_fresh(act: str) -> None:
    """Pass a person who signed in within five minutes, with their second factor where they have one; for a DANGEROUS act.

    Raises NotFresh for anybody else, Forbidden for a key that no person stands behind now. Call it before the act.
    """
    if act not in DANGEROUS:
        raise LookupError(f"{act!r} is not on the list of dangerous acts.")
    acting = current()
    if acting.credential == "system":
        return
    if acting.credential == "api_key":
        raise Forbidden(_("An API key cannot do this; a person must."), code="person_needed")
    recent = acting.auth_time is not None and clock.now() - acting.auth_time <= FRESH_FOR
    if not recent or acting.user is None:
        raise NotFresh()
    if not SHOWN & set(acting.amr) and slots.has_second_factor(acting.user):
        raise NotFresh()
