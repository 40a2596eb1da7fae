"""Second factors are stored encrypted: their part in a change of keys."""

from __future__ import annotations

from allauth.mfa.models import Authenticator
from django.db import transaction

from apps.tenants.context import NOBODY, tenant_context
from apps.tenants.encryption import is_current, key_of, seal, unseal

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
