"""Mails to a person about what opens their account: each is promised in the act's own transaction, once."""

from __future__ import annotations

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from apps.comms.actions import queue_mail
from apps.tenants import clock
from apps.tenants.context import as_system
from apps.tenants.models import PLATFORM_TENANT_ID

from ..models import User


def tell_factor_added(user: User, kind: str, *, row: object) -> None:
    """An app or a passkey was set up."""
    what = _("A passkey was added to your account.") if kind == "webauthn" else _("An authenticator app was set up.")
    _tell(user, what, dedupe=f"factor-added:{row}")


def tell_factor_removed(user: User, kind: str, *, row: object) -> None:
    """An app or a passkey is gone."""
    what = _("A passkey was removed from your account.") if kind == "webauthn" else _("Your authenticator app is gone.")
    _tell(user, what, dedupe=f"factor-removed:{row}")


def tell_factor_guessed(user: User) -> None:
    """Somebody who knows their password tries codes or passkeys; once for each window in which there were too many."""
    what = _(
        "Somebody gave your password and then too many wrong codes. If that was not you, change your password now."
    )
    with transaction.atomic():
        _tell(user, what, dedupe=f"factor-guessed:{user.pk}:{clock.now().isoformat()}")


def tell_key_made(user: User, *, tenant: str, shown: str, row: object) -> None:
    """An API key was made in their name."""
    words = {"shown": shown, "tenant": tenant}
    _tell(user, _("An API key (%(shown)s) was made for %(tenant)s.") % words, dedupe=f"key-made:{row}")


def tell_linked(user: User, *, tenant: str, row: object) -> None:
    """An identity provider opens a tenant for them from now on."""
    what = _("From now on the identity provider of %(tenant)s signs you in there.") % {"tenant": tenant}
    _tell(user, what, dedupe=f"sso-linked:{row}")


def tell_address_asked(user: User, *, row: object) -> None:
    """Somebody who is signed in as them wants another address; nothing has changed yet."""
    _tell(user, "", template="address_asked", dedupe=f"address-asked:{row}")


def tell_address_changed(user: User, *, row: object) -> None:
    """Their address is another one from now on; told at the one that it was."""
    _tell(user, _("Your account has another e-mail address now; this one signs in no more."), dedupe=f"address:{row}")


def _tell(user: User, what: str, *, dedupe: str, template: str = "notice") -> None:
    with as_system(PLATFORM_TENANT_ID):
        queue_mail(
            to=user.email,
            template=f"account/mail/{template}",
            context={"name": user.name, "what": what, "link": f"{settings.PUBLIC_URL}/account/sessions/"},
            dedupe=dedupe,
            user_id=user.pk,
        )
