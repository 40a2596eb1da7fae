"""Second factors and signing keys are stored encrypted: their part in a change of keys."""

from __future__ import annotations

from allauth.mfa.models import Authenticator
from django.db import transaction
from django.db.models import QuerySet

from apps.tenants.context import NOBODY, tenant_context
from apps.tenants.encryption import is_current, key_of, seal, unseal

from . import signing_keys
from .models import SigningKey
from .second_factor import PURPOSE


def factor_keys() -> set[str]:
    """The keys that second factors need."""
    with tenant_context(NOBODY):
        rows = Authenticator.objects.filter(type=Authenticator.Type.TOTP).values_list("data__secret", flat=True)
        return {key_of(secret) for secret in rows}


def reseal_factors() -> int:
    """Seal the secrets of authenticator apps by the newest key; how many were not."""
    count = 0
    with tenant_context(NOBODY), transaction.atomic():
        for row in Authenticator.objects.select_for_update().filter(type=Authenticator.Type.TOTP):
            if not is_current(row.data["secret"]):
                row.data["secret"] = seal(PURPOSE, unseal(PURPOSE, row.data["secret"]))
                row.save(update_fields=["data"])
                count += 1
    return count


def signing_key_names() -> set[str]:
    """The keys that signing keys need; rows of earlier versions need none of these, but the installation's secret."""
    with tenant_context(NOBODY):
        return {name for name in map(key_of, _signing_rows().values_list("sealed", flat=True)) if name}


def reseal_signing_keys() -> int:
    """Seal private parts by the newest key, those of earlier versions too; how many were not."""
    count = 0
    with tenant_context(NOBODY), transaction.atomic():
        for row in _signing_rows().select_for_update():
            if not is_current(row.sealed):
                row.sealed = signing_keys.sealed(signing_keys.opened(row.sealed))
                row.save(update_fields=["sealed"])
                count += 1
    signing_keys.forget()
    return count


def _signing_rows() -> QuerySet[SigningKey]:
    return SigningKey.objects.exclude(sealed="")
