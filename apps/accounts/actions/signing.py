"""Changing the key that signs access tokens."""

from __future__ import annotations

from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.db import transaction

from apps.audit.actions import record
from apps.tenants import clock
from apps.tenants.context import NOBODY, as_system, tenant_context
from apps.tenants.models import PLATFORM_TENANT_ID

from .. import signing_keys
from ..models import SigningKey


def rotate_signing_key(*, at_once: bool = False) -> SigningKey:
    """Add a key that signs as soon as every cache of the key set has run out; the one before it ends by itself.

    `at_once` is for a key that is lost: the new one signs now, all others end now, and so do the tokens they signed.
    """
    now = clock.now()
    with as_system(PLATFORM_TENANT_ID), transaction.atomic():
        with tenant_context(NOBODY):  # keys are the installation's, and nothing inside a tenant writes them
            made = _add_key(now, at_once=at_once)
        record("signing_key.rotated", facts={"kid": made.kid, "at_once": at_once})
    signing_keys.forget()
    return made


def _add_key(now: datetime, *, at_once: bool) -> SigningKey:
    _keep_first()
    if at_once:
        SigningKey.objects.filter(retired_at=None).update(retired_at=now)
    private = Ed25519PrivateKey.generate()
    return SigningKey.objects.create(
        kid=signing_keys.kid_of(private.public_key()),
        public=_raw(private.public_key()),
        sealed=signing_keys.sealed(private.private_bytes_raw()),
        signs_from=now if at_once else now + signing_keys.CACHED,
    )


def _keep_first() -> None:
    """A row for the environment's key, without its private part, so that it can end."""
    public = signing_keys.environment_key().public_key()
    values = {"public": _raw(public), "signs_from": signing_keys.FIRST}
    if not SigningKey.objects.exists():
        SigningKey.objects.create(kid=signing_keys.kid_of(public), **values)


def _raw(public: Ed25519PublicKey) -> bytes:
    return public.public_bytes(Encoding.Raw, PublicFormat.Raw)
