"""Erase what is kept of the addresses and browsers that a person came with."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from apps.audit import log_exports, private
from apps.audit.actions import Target, record
from apps.audit.models import Entry
from apps.tenants.context import NOBODY, as_system, current_tenant, tenant_context
from apps.tenants.freshness import require_fresh
from apps.tenants.models import PLATFORM_TENANT_ID

from ..models import ApiKey, Member, TokenFamily, User
from ..pseudonyms import accounts_of
from .sessions import end_sessions


@transaction.atomic
def erase_private_values(member: Member, *, by: Member | None) -> int:
    """Delete the addresses and agents of this person everywhere in the tenant in force; what they did stays in the log.

    The audit log's chain and proofs hold as before, and an entry attests the erasure. Exports with such values that wait
    for download go whole. Copies in backups live as long as these. Returns how many values were deleted. Raises NotFresh:
    whoever stole a session could erase where from.
    """
    require_fresh("privacy.erase")
    log_exports.drop_private()
    count = private.erase(member.user_id)
    count += ApiKey.objects.filter(member=member).exclude(last_address=None).update(last_address=None)
    families = TokenFamily.objects.filter(user_id=member.user_id, tenant_id=current_tenant())
    count += families.exclude(address=None, agent="").update(address=None, agent="")
    record("privacy.erased", member, facts={"values": count, "person": str(member.user_id)})
    private.erase(member.user_id)  # who erases their own leaves no address with this very entry
    return count


@transaction.atomic
def erase_outside_tenants(user: User) -> int:
    """Delete those that belong to no tenant: in the platform's log, and of tokens for no tenant.

    Failed sign-ins are found by the person's address, and by those that they had before.

    The person's browsers are signed out, since a session notes where it is used. For whoever runs the installation; an
    entry of the platform's log attests it. Returns how many.
    """
    count = end_sessions(user.pk)
    with tenant_context(NOBODY):
        families = TokenFamily.objects.filter(user_id=user.pk, tenant=None).exclude(address=None, agent="")
        count += families.update(address=None, agent="")
    with as_system(PLATFORM_TENANT_ID):
        log_exports.drop_private()
        accounts = {*accounts_of(user.email), *_accounts_before(user)}
        count += sum(private.erase(person) for person in (user.pk, *accounts))
        for account in accounts:
            record("privacy.erased", user, facts={"values": count, "person": str(user.pk), "account": str(account)})
    return count


@transaction.atomic
def erase_tried(email: str) -> int:
    """Delete the addresses and agents of failed sign-ins with an address that nobody has; an entry attests it for each.

    For whoever runs the installation. Returns how many.
    """
    count = 0
    with as_system(PLATFORM_TENANT_ID):
        log_exports.drop_private()
        for account in accounts_of(email):
            if gone := private.erase(account):
                facts = {"values": gone, "account": str(account)}
                record("privacy.erased", Target("account", account), facts=facts)
                count += gone
    return count


def _accounts_before(user: User) -> set[UUID]:
    """What stands in the platform's log for the addresses that a person had before the one of today."""
    rows = Entry.objects.filter(action="address.changed", target_id=user.pk)
    return {UUID(account) for entry in rows for account in str(entry.facts.get("accounts", "")).split()}
