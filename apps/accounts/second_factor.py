"""The second factor: allauth's authenticator app and recovery codes, with secrets that are stored encrypted."""

from __future__ import annotations

import base64
from functools import lru_cache
from typing import Any
from uuid import UUID

from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.http import HttpRequest

from apps.tenants.refusals import NotSignedIn

from . import limits
from .models import User


@lru_cache(maxsize=2)
def _cipher(secret: str) -> Fernet:
    """A key of its own, derived from the installation's secret."""
    derived = HKDF(SHA256(), 32, salt=None, info=b"orkestra second factor").derive(secret.encode())
    return Fernet(base64.urlsafe_b64encode(derived))


class SecondFactorAdapter(DefaultMFAAdapter):
    def encrypt(self, text: str) -> str:
        """Secrets of apps and seeds of recovery codes: AES-128-CBC with HMAC-SHA-256 (Fernet)."""
        return _cipher(settings.SECRET_KEY).encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return _cipher(settings.SECRET_KEY).decrypt(encrypted_text.encode()).decode()

    def send_notification_mail(self, *args: Any, **kwargs: Any) -> None:
        """Notices go through the outbox; these are not written yet, the audit log has the acts."""


def has_one(user: User) -> bool:
    """Whether the person must show a second factor."""
    return is_set_up(user.pk)


def is_set_up(user: UUID) -> bool:
    """Whether the person of this id must show a second factor."""
    return Authenticator.objects.filter(user_id=user, type=Authenticator.Type.TOTP).exists()


def demand(request: HttpRequest, user: User, code: str) -> str:
    """The `amr` of a sign-in by password and, where the person has one, second factor.

    Raises NotSignedIn: otp_required without a code, otp_wrong for a wrong or used one; TooMany.
    """
    if not has_one(user):
        return "pwd"
    if not code:
        raise NotSignedIn("Send the code of your authenticator app as `otp`.", code="otp_required")
    limits.spend(limits.SECOND_FACTOR_GUESSES, str(user.pk))
    for found in Authenticator.objects.filter(
        user_id=user.pk, type__in=[Authenticator.Type.TOTP, Authenticator.Type.RECOVERY_CODES]
    ).order_by("-type"):
        if found.wrap().validate_code(code):
            limits.give_back(limits.SECOND_FACTOR_GUESSES, str(user.pk))
            found.record_usage()
            return "pwd otp" if found.type == Authenticator.Type.TOTP else "pwd kba"
    raise NotSignedIn("That code is wrong, or was used already.", code="otp_wrong")
