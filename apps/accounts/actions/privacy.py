"""Erase what is kept of the addresses and browsers that a person came with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef

from apps.audit import log_exports, private
from apps.audit.actions import Target, record
from apps.audit.models import Entry, PrivateValue
from apps.tenants.context import NOBODY, TenantContext, as_system, current_tenant, tenant_context
from apps.tenants.freshness import require_fresh
from apps.tenants.models import PLATFORM_TENANT_ID, Tenant

from ..models import ApiKey, Member, TokenFamily, User
from ..pseudonyms import accounts_of
from .sessions import end_sessions


@transaction.atomic
def erase_private_values(member: Member, *, by: Member | None) -> int:
    """Delete the addresses and agents of this person everywhere in the tenant in force; what they did stays in the log.

    What came with their e-mail address while nobody was signed in, such as a public form, is theirs.
    The audit log's chain and proofs hold as before, and an entry attests the erasure. Exports with such values that wait
    for download go whole. Copies in backups live as long as these. Returns how many values were deleted. Raises NotFresh:
    whoever stole a session could erase where from.
    """
    require_fresh("privacy.erase")
    log_exports.drop_private()
    own, left = _erased(member.user_id), [_erased(account) for account in accounts_of(member.email)]
    count = own.values + sum(found.values for found in left)
    count += ApiKey.objects.filter(member=member).exclude(last_address=None).update(last_address=None)
    families = TokenFamily.objects.filter(user_id=member.user_id, tenant_id=current_tenant())
    count += families.exclude(address=None, agent="").update(address=None, agent="")
    record("privacy.erased", member, facts={"values": count, "person": str(member.user_id)})
    _attest([own, *left], told={member.pk, member.user_id})
    private.erase(member.user_id)  # who erases their own leaves no address with these very entries
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
        accounts = _accounts(user)
        count += sum(private.erase(person) for person in (user.pk, *accounts))
        for account in accounts:
            record("privacy.erased", user, facts={"values": count, "person": str(user.pk), "account": str(account)})
    return count


@dataclass(frozen=True)
class Erased:
    """Whose values are gone, by a user's id or that of an address, and beside how many entries these stood for nobody."""

    person: UUID
    values: int
    nobodys: Counter[tuple[str, UUID]]


def accounts_known(email: str, user: User | None) -> set[UUID]:
    """What stands in logs for an address, and for those that the person who has it had before."""
    return _accounts(user) if user else set(accounts_of(email))


def tenants_with(people: Iterable[UUID]) -> list[Tenant]:
    """Tenants whose logs have values of any of these, the platform's own among them, by their address."""
    with tenant_context(TenantContext(platform=True, credential="system")):
        values = PrivateValue.objects.filter(tenant=OuterRef("pk"), person__in=list(people))
        return list(Tenant.objects.filter(Exists(values)).order_by("slug"))


@transaction.atomic
def erase_left(user: UUID | None, accounts: Iterable[UUID]) -> int:
    """Delete in the tenant in force the addresses and agents of somebody who is no member; entries attest it.

    Those of a visitor from support stand there by their id, and what came with an e-mail address by nobody who was signed
    in by the address's id. For whoever runs the installation. Returns how many.
    """
    log_exports.drop_private()
    own, left = _erased(user) if user else None, [_erased(account) for account in sorted(accounts)]
    if own and own.values:
        record("privacy.erased", Target("user", own.person), facts={"values": own.values, "person": str(own.person)})
    found = [*([own] if own else []), *left]
    _attest(found, told={user} if user else set())
    return sum(one.values for one in found)


def _erased(person: UUID) -> Erased:
    nobodys = private.nobodys(person)
    return Erased(person, private.erase(person), nobodys)


def _attest(left: list[Erased], told: set[UUID]) -> None:
    """An entry for each address and each thing by whose ids entries say whose the values were; of `told` one says so."""
    for found in left:
        known = found.values - found.nobodys.total()
        if known and found.person not in told:
            facts = {"values": known, "account": str(found.person)}
            record("privacy.erased", Target("account", found.person), facts=facts)
    for (kind, pk), count in sum((found.nobodys for found in left), Counter()).items():
        if pk not in told:
            record("privacy.erased", Target(kind, pk), facts={"values": count})


def _accounts(user: User) -> set[UUID]:
    """The ids of a person's address under each secret, and of those that they had before the one of today."""
    with as_system(PLATFORM_TENANT_ID):
        rows = Entry.objects.filter(action="address.changed", target_id=user.pk)
        before = {UUID(account) for entry in rows for account in str(entry.facts.get("accounts", "")).split()}
    return {*accounts_of(user.email), *before}
