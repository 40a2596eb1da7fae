"""The second factor: an authenticator app, passkeys, and recovery codes for the day when neither is at hand.

Enrolling and the ceremonies are allauth's. What proves a code is ours, because allauth remembers used ones in a cache that
can be lost, and keeps recovery codes as a seed from which all of them follow.
"""

from __future__ import annotations

import hmac
import secrets
import time
from typing import Any
from uuid import UUID

from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.conf import settings
from django.contrib.auth.hashers import check_password, make_password
from django.db import transaction
from django.utils.translation import gettext as _

from apps.tenants import clock
from apps.tenants.context import NOBODY, tenant_context
from apps.tenants.encryption import seal, unseal
from apps.tenants.refusals import NotSignedIn

from . import limits
from .actions.notices import tell_factor_guessed
from .models import RecoveryCode, User

PURPOSE = "second factor"
FACTORS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
PERIOD_SECONDS = 30
CODES = 10
# Without letters and digits that are read for one another. Four find the row, eight are the secret: 2^39, behind scrypt.
LETTERS = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
FINDS, PROVES = 4, 8
APP, CODE = "totp", "recovery_codes"
AMR = {APP: "pwd otp", CODE: "pwd kba"}


class SecondFactorAdapter(DefaultMFAAdapter):
    def encrypt(self, text: str) -> str:
        """Secrets of apps, by the installation's newest key."""
        return seal(PURPOSE, text)

    def decrypt(self, encrypted_text: str) -> str:
        return unseal(PURPOSE, encrypted_text)

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        """Passkeys belong to our host name; `localhost` while developing, never a number."""
        return {**super().get_public_key_credential_rp_entity(), "name": "Orkestra"}

    def generate_authenticator_name(self, user: Any, type: Any) -> str:
        """What a new passkey is called unless its owner says otherwise."""
        count = Authenticator.objects.filter(user_id=user.pk, type=type).count()
        return _("Passkey") if not count else _("Passkey %(n)s") % {"n": count + 1}

    def send_notification_mail(self, *args: Any, **kwargs: Any) -> None:
        """Notices go through the outbox: see `actions.notices`."""


def has_one(user: User) -> bool:
    """Whether the person must show a second factor."""
    return is_set_up(user.pk)


def is_set_up(user: UUID) -> bool:
    """Whether the person of this id must show a second factor."""
    return Authenticator.objects.filter(user_id=user, type__in=FACTORS).exists()


def how_many(users: list[UUID]) -> int:
    """How many of these people have one."""
    rows = Authenticator.objects.filter(user_id__in=users, type__in=FACTORS)
    return rows.values("user_id").distinct().count()


def has_app(user: UUID) -> bool:
    """Whether one of them is an authenticator app, so that a code can be asked for."""
    return Authenticator.objects.filter(user_id=user, type=APP).exists()


def demand(user: User, code: str) -> str:
    """The `amr` of a sign-in by password and, where the person has one, second factor.

    Raises NotSignedIn: otp_required without a code, otp_wrong for a wrong or used one; TooMany.
    """
    if not has_one(user):
        return "pwd"
    if not code:
        raise NotSignedIn("Send the code of your authenticator app, or a recovery code, as `otp`.", code="otp_required")
    kind = verify(user, code)
    if kind is None:
        raise NotSignedIn("That code is wrong, or was used already.", code="otp_wrong")
    return AMR[kind]


def verify(user: User, code: str) -> str | None:
    """Which kind of code this is, if it is a good one; good once, whichever doors race for it. Raises TooMany."""
    spend_try(user)
    with tenant_context(NOBODY):
        kind = APP if _of_app(user, code) else CODE if _of_recovery(user, code) else None
    if kind:
        limits.give_back(limits.SECOND_FACTOR_GUESSES, str(user.pk))
    return kind


def spend_try(user: User) -> None:
    """Count a try; whoever gets this far knows the password, so the person is told of too many. Raises TooMany."""
    try:
        limits.spend(limits.SECOND_FACTOR_GUESSES, str(user.pk))
    except limits.TooMany as many:
        if many.is_first:
            tell_factor_guessed(user)
        raise


@transaction.atomic
def _of_app(user: User, code: str) -> bool:
    """RFC 6238 with a look back of one step; the row remembers the last step that was used, and takes only later ones."""
    row = Authenticator.objects.select_for_update().filter(user_id=user.pk, type=APP).first()
    if row is None:
        return False
    secret, typed = unseal(PURPOSE, row.data["secret"]), "".join(code.split())
    for step in (present_step() - 1, present_step()):
        fits = hmac.compare_digest(format_hotp_value(hotp_value(secret, step)).encode(), typed.encode())
        if fits and step > row.data.get("step", -1):
            row.data["step"], row.last_used_at = step, clock.now()
            row.save(update_fields=["data", "last_used_at"])
            return True
    return False


def present_step() -> int:
    """The half minute that it is."""
    return int(time.time()) // PERIOD_SECONDS


def _of_recovery(user: User, code: str) -> bool:
    typed = "".join(letter for letter in code.upper() if letter in LETTERS)
    if len(typed) != FINDS + PROVES:
        return False
    for row in RecoveryCode.objects.filter(user_id=user.pk, finds=typed[:FINDS], used_at=None):
        if check_password(typed[FINDS:], row.hashed):
            return RecoveryCode.objects.filter(pk=row.pk, used_at=None).update(used_at=clock.now()) == 1
    return False


def new_codes(user: User) -> list[str]:
    """Ten codes, shown once; the ones of before end. Only salted hashes are kept (scrypt)."""
    made = ["".join(secrets.choice(LETTERS) for _letter in range(FINDS + PROVES)) for _code in range(CODES)]
    with tenant_context(NOBODY), transaction.atomic():
        end_codes(user)
        RecoveryCode.objects.bulk_create(
            RecoveryCode(user=user, finds=code[:FINDS], hashed=make_password(code[FINDS:])) for code in made
        )
    return [f"{code[:4]}-{code[4:8]}-{code[8:]}" for code in made]


def end_codes(user: User) -> None:
    """Recovery codes without a factor to recover from are none."""
    with tenant_context(NOBODY):
        RecoveryCode.objects.filter(user_id=user.pk).delete()


def codes_left(user: User) -> int:
    """How many codes are unused."""
    with tenant_context(NOBODY):
        return RecoveryCode.objects.filter(user_id=user.pk, used_at=None).count()


def note_enrolment(row: Authenticator) -> None:
    """The code that set an app up is used."""
    if row.type == APP:
        with tenant_context(NOBODY):
            row.data["step"] = present_step()
            row.save(update_fields=["data"])


def passkeys_work() -> bool:
    """Browsers take them on HTTPS and on localhost."""
    return bool(settings.PUBLIC_URL.startswith(("https://", "http://localhost")))
