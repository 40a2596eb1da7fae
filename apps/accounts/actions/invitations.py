"""Invitations: a link that makes whoever holds the invited address a member, once."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.utils.translation import gettext as _

from apps.audit.actions import record
from apps.comms.actions import queue_mail
from apps.tenants import clock
from apps.tenants.context import NOBODY, as_system, current_tenant, tenant_context, with_changes
from apps.tenants.freshness import require_fresh
from apps.tenants.models import Tenant
from apps.tenants.refusals import Invalid, NotFound, Refused
from apps.tenants.slots import slots

from .. import limits
from ..models import Invitation, Member, Team, User
from ..rules import Role
from .people import add_member, create_proven_person, join_team

LIFETIME = timedelta(days=7)


@dataclass(frozen=True)
class Invited:
    """What an invitation's link shows: to which tenant, for which address, and whether that person exists."""

    tenant: Tenant
    email: str
    role: str
    is_known: bool


def invite(*, email: str, role: str, by: Member, teams: Iterable[UUID] = ()) -> Invitation:
    """Mail a link to an address; it makes a member with this role, in these teams.

    Raises Invalid for an unknown role or team, NotFresh for an owner or for a role or team that owns a form, Refused for
    members and open invitations, TooMany.
    """
    email = email.strip().lower()
    _spend(email)
    return _invite(email=email, role=role, by=by, teams=teams)


@transaction.atomic
def _invite(*, email: str, role: str, by: Member, teams: Iterable[UUID]) -> Invitation:
    if role not in Role.values:
        raise Invalid({"role": [_("A role is owner, member or viewer.")]})
    if role == Role.OWNER:
        require_fresh("invitation.owner")
    wanted = {str(team) for team in teams}
    if wanted - {str(pk) for pk in Team.objects.filter(pk__in=wanted).values_list("pk", flat=True)}:
        raise Invalid({"teams": [_("There is no such team here.")]})
    if slots.role_owns(role) or any(slots.team_owns(UUID(team)) for team in wanted):
        require_fresh("form.own")
    if Member.objects.filter(user__email__iexact=email).exists():
        raise Refused(_("This person is a member already."), field="email")
    _release_old_seats()
    word = secrets.token_urlsafe(32)
    made = Invitation(
        email=email,
        role=role,
        teams=sorted(wanted),
        invited_by=by,
        token_sha256=digest(word),
        expires_at=clock.now() + LIFETIME,
    )
    _keep_place(made)
    record("invitation.sent", made, facts={"role": role, "teams": made.teams})
    _mail(made, word, by)
    return made


def _keep_place(invitation: Invitation) -> None:
    """Store it: of two for one address, at one moment too, the database takes one. Raises Refused for the other."""
    try:
        with transaction.atomic():
            invitation.save(force_insert=True)
    except IntegrityError:
        text = _("This person is invited already; withdraw that invitation first.")
        raise Refused(text, field="email") from None


def resend_invitation(invitation: Invitation, *, by: Member) -> Invitation:
    """Mail a new link; the one before opens nothing any more. Raises Refused for one that has ended, TooMany."""
    _spend(invitation.email)
    return _resend(invitation, by=by)


@transaction.atomic
def _resend(invitation: Invitation, *, by: Member) -> Invitation:
    found = Invitation.objects.open().select_for_update().filter(pk=invitation.pk).first()
    if found is None:
        raise Refused(_("This invitation has ended; invite them again."))
    word = secrets.token_urlsafe(32)
    found.token_sha256, found.expires_at = digest(word), clock.now() + LIFETIME
    found.save()
    record("invitation.sent", found, facts={"role": found.role, "teams": found.teams, "again": True})
    _mail(found, word, by)
    return found


def _spend(email: str) -> None:
    """Count a mail, before the transaction that a refusal would roll back, its count and entry with it. Raises TooMany."""
    limits.spend(limits.INVITATIONS_OF_TENANT, str(current_tenant()))
    limits.spend(limits.INVITATIONS_TO_ADDRESS, email, account=email)


def _mail(invitation: Invitation, word: str, by: Member) -> None:
    tenant = Tenant.objects.get(pk=current_tenant())
    link = f"{settings.PUBLIC_URL}/account/invitation/{word}/"
    context = {"tenant": tenant.name, "by": by.name, "link": link, "days": LIFETIME.days}
    queue_mail(
        to=invitation.email,
        template="account/mail/invitation",
        context=context,
        dedupe=f"invitation:{invitation.pk}:{digest(word).hex()[:16]}",
        user_id=None,
    )


@transaction.atomic
def withdraw_invitation(invitation: Invitation, *, by: Member) -> None:
    """End an open invitation; its link opens nothing any more."""
    ended = Invitation.objects.open().filter(pk=invitation.pk).update(revoked_at=clock.now())
    if ended:
        record("invitation.withdrawn", invitation)


def withdraw_invitations_of(member: Member, *, by: Member) -> None:
    """End the open invitations that this member sent."""
    for one in Invitation.objects.open().filter(invited_by=member).order_by("created_at"):
        withdraw_invitation(one, by=by)


def look_at(word: str) -> Invited:
    """What the link of an invitation says.

    Raises NotFound for one that is unknown, used, withdrawn or too old, and while its tenant is suspended.
    """
    tenant_id, identity = _resolve(word)
    with as_system(tenant_id):
        found = Invitation.objects.select_related("tenant").get(pk=identity)
    with tenant_context(NOBODY):
        is_known = User.objects.filter(email__iexact=found.email).exists()
    return Invited(found.tenant, found.email, found.role, is_known)


def accept(word: str, *, user: User | None, name: str = "", password: str = "") -> Member:
    """Make the invited person a member: `user` where they are signed in, else a new person with this password.

    Raises NotFound, Refused for another person's address, Invalid for a password that is too weak.
    """
    tenant_id, identity = _resolve(word)
    with as_system(tenant_id), transaction.atomic():
        invitation = Invitation.objects.open().select_for_update().filter(pk=identity).first()
        if invitation is None:
            raise NotFound()
        if user is None:
            user = create_proven_person(email=invitation.email, name=name, password=password)
        elif user.email.lower() != invitation.email:
            raise Refused(_("This invitation is for another address; sign out first."), code="other_person")
        invitation.accepted_at = clock.now()
        invitation.save()
        with with_changes(user=user.pk, credential="invitation"):  # by the link, whether or not they are signed in too
            member = add_member(user, role=Role(invitation.role), by=None)
            with with_changes(member=member.pk):
                record("invitation.accepted", invitation, member)
                for team in Team.objects.filter(pk__in=invitation.teams):
                    join_team(team, member, by=None)
    return member


def _resolve(word: str) -> tuple[UUID, UUID]:
    """Tenant and id of an open invitation into a tenant that is open, found by its hash before one is known.

    Raises NotFound.
    """
    with tenant_context(NOBODY), connection.cursor() as cursor:
        cursor.execute("SELECT tenant_id, id FROM orkestra_invitation(%s)", [digest(word)])
        row = cursor.fetchone()
    if row is None:
        raise NotFound()
    with as_system(row[0]):
        if not Tenant.objects.filter(pk=row[0], is_active=True).exists():
            raise NotFound()
    return row[0], row[1]


def _release_old_seats() -> None:
    """Invitations that ran out give their seats back, here, where the next one needs them."""
    now = clock.now()
    Invitation.objects.open().filter(expires_at__lte=now).update(revoked_at=now)


def digest(word: str) -> bytes:
    """What is kept of a link's secret."""
    return hashlib.sha256(word.encode()).digest()
