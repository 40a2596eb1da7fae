"""API keys: made once, shown once, and over at once when they are taken back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection, transaction
from django.utils.translation import gettext as _

from apps.audit.actions import record
from apps.tenants import clock
from apps.tenants.context import NOBODY, require, tenant_context
from apps.tenants.freshness import require_fresh
from apps.tenants.refusals import Forbidden, Invalid, NotSignedIn

from .. import key_format
from ..models import ApiKey, Member
from .notices import tell_key_made

MOST_DAYS = 365
USE_NOTED = timedelta(minutes=1)
FIND = "SELECT id, tenant_id, user_id, scopes, last_used_at FROM orkestra_api_key(%s)"


@dataclass(frozen=True)
class FoundKey:
    """What is known of a key before its tenant is in force."""

    id: UUID
    tenant: UUID
    user: UUID
    scopes: frozenset[str]
    last_used_at: datetime | None


@transaction.atomic
def create_api_key(
    *, name: str, scopes: list[str], days: int, by: Member, account: Member | None = None
) -> tuple[ApiKey, str]:
    """A key that acts as the member who makes it or as a service account, within the scopes; with its text, kept nowhere.

    Raises NotFresh, Forbidden, Invalid for a scope that is unknown or that the member does not hold themselves.
    """
    require("api_keys.write")
    require_fresh("api_key.create")
    holder = by if account is None else account
    if account is not None and not (account.is_service and account.can_act):
        raise Invalid({"service_account": [_("There is no such service account, or it is off.")]})
    wrong = sorted(set(scopes) - (by.permissions & holder.permissions))
    if wrong or not scopes:
        words = ", ".join(wrong)
        raise Invalid({"scopes": [_("You cannot give: %(words)s.") % {"words": words} if wrong else _("Choose one.")]})
    if not 1 <= days <= MOST_DAYS:
        raise Invalid({"days": [_("A key lives from 1 to %(n)s days.") % {"n": MOST_DAYS}]})
    text = key_format.make_key()
    made = ApiKey.objects.create(
        name=name,
        member=holder,
        made_by=by,
        user_id=holder.user_id,
        shown=key_format.shown(text),
        secret_sha256=key_format.digest(text),
        scopes=sorted(set(scopes)),
        expires_at=clock.now() + timedelta(days=days),
    )
    record("api_key.created", made, facts={"scopes": made.scopes, "days": days, "for": str(holder.pk)})
    tell_key_made(by.user, tenant=by.tenant.name, shown=made.shown, row=made.pk)
    return made, text


@transaction.atomic
def revoke_api_key(key: ApiKey, *, by: Member) -> None:
    """End a key; its next request is refused."""
    require("api_keys.write")
    _end(ApiKey.objects.filter(pk=key.pk))


@transaction.atomic
def end_api_keys(member: Member, *, only: UUID | None = None) -> None:
    """End every key that acts as this member, or one of them."""
    rows = ApiKey.objects.filter(member=member)
    _end(rows.filter(pk=only) if only else rows)


@transaction.atomic
def end_every_api_key() -> None:
    """End all keys of the tenant in force, such as after a restore: one that leaked since the backup lives in it again."""
    _end(ApiKey.objects.all())


@transaction.atomic
def end_keys_made_by(member: Member) -> None:
    """End the keys of service accounts that this member made: they know the texts."""
    _end(ApiKey.objects.filter(made_by=member).exclude(member=member))


def find_api_key(text: str) -> FoundKey:
    """The living key of this text, before a tenant is known. Raises NotSignedIn."""
    row = None
    if key_format.is_well_formed(text):
        with tenant_context(NOBODY), connection.cursor() as cursor:
            cursor.execute(FIND, [key_format.digest(text)])
            row = cursor.fetchone()
    if row is None:
        raise NotSignedIn(_("This API key is unknown, expired or revoked."), code="api_key_invalid")
    return FoundKey(row[0], row[1], row[2], frozenset(json.loads(row[3])), row[4])


def note_use(key: UUID, *, before: datetime | None, address: str | None) -> None:
    """Remember when and from where a key was used last; at most once a minute."""
    now = clock.now()
    if before is None or now - before >= USE_NOTED:
        ApiKey.objects.filter(pk=key).update(last_used_at=now, last_address=address)


def check_no_key(credential: str) -> None:
    """Raise Forbidden for a key: it stays in its tenant."""
    if credential == "api_key":
        raise Forbidden(_("An API key cannot do this; a person must."), code="person_needed")


def _end(rows: object) -> None:
    for key in rows.filter(revoked_at=None).select_for_update():  # type: ignore[attr-defined]
        key.revoked_at = clock.now()
        key.save(update_fields=["revoked_at"])
        record("api_key.revoked", key)
