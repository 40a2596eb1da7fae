"""Providers, proven domains, and who is let in by them."""

from __future__ import annotations

import hashlib

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from apps.audit.actions import record
from apps.tenants import clock
from apps.tenants.context import NOBODY, current_tenant, require, tenant_context
from apps.tenants.encryption import seal
from apps.tenants.freshness import require_fresh
from apps.tenants.models import Tenant
from apps.tenants.refusals import Invalid, Refused
from apps.tenants.security_events import Kind as Event
from apps.tenants.security_events import security_event

from .. import second_factor
from ..actions.families import end_families
from ..actions.members import lock_owners
from ..actions.notices import tell_linked
from ..actions.people import add_member, create_person, join_team
from ..models import Invitation, Member, Team, User
from ..pseudonyms import called_by_address
from ..rules import Role
from . import provider, rules, txt
from .models import MOST_MISSES, PURPOSE, FactorTrust, Kind, SsoConnection, SsoDomain, SsoIdentity
from .notices import tell_domain_missing
from .rules import Mistrusted, Said

JOINING_ROLES = (Role.MEMBER, Role.VIEWER)


class NotAdmitted(Exception):
    """The provider knows them and they are still not let in; `reason` is a word of ours, the text is for them."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class MustLink(Exception):
    """The address is a member's who has never come by this provider: they say themselves that it is them."""

    def __init__(self, member: Member) -> None:
        super().__init__(str(member.pk))
        self.member = member


def may_change() -> None:
    """Who changes who gets in: it takes both permissions, so that a support visit, which has no people, cannot.

    Raises Forbidden, NotFresh. Pages and API ask it before each write below.
    """
    require("settings.write")
    require("members.write")
    require_fresh("sso.change")


@transaction.atomic
def add_connection(
    *, kind: str, name: str, issuer: str, client_id: str, client_secret: str, default_role: str, factor_trust: str,
    by: Member,
) -> SsoConnection:  # fmt: skip
    """Add a provider, after asking it where its doors are. Raises Refused where it does not answer as one."""
    issuer = rules.GOOGLE_ISSUER if kind == Kind.GOOGLE else issuer.strip()
    _check_role(default_role)
    _ask(issuer)
    made = SsoConnection.objects.create(
        kind=kind,
        name=name,
        issuer=issuer,
        client_id=client_id,
        client_secret=seal(PURPOSE, client_secret),
        default_role=default_role,
        factor_trust=FactorTrust(factor_trust),
    )
    record("sso.connected", made, facts=_facts(made))
    return made


@transaction.atomic
def change_connection(
    connection: SsoConnection, *, name: str, client_id: str, client_secret: str, default_role: str, factor_trust: str,
    by: Member,
) -> SsoConnection:  # fmt: skip
    """Change a provider; an empty secret keeps the old one. Its issuer stays: another issuer is another provider."""
    _check_role(default_role)
    found = SsoConnection.objects.active().select_for_update().get(pk=connection.pk)
    before = _facts(found)
    found.name, found.client_id = name, client_id
    found.default_role, found.factor_trust = default_role, FactorTrust(factor_trust)
    if client_secret:
        found.client_secret = seal(PURPOSE, client_secret)
    found.save()
    provider.forget(found)
    record("sso.changed", found, facts={**_facts(found), "new_secret": bool(client_secret), "before": before})
    return found


@transaction.atomic
def remove_connection(connection: SsoConnection, *, by: Member) -> None:
    """Close a provider's door for good; sessions that it opened end with their next request."""
    _keep_a_door(removing=connection)
    SsoConnection.objects.active().filter(pk=connection.pk).update(removed_at=clock.now(), client_secret="")
    record("sso.removed", connection)


@transaction.atomic
def add_domain(*, domain: str, by: Member) -> SsoDomain:
    """Name a mail domain that is to be proven. Raises Invalid for what is none, Refused for one that is there."""
    domain = domain.strip().lower().rstrip(".").lstrip("@")
    if not rules.DOMAIN.match(domain):
        raise Invalid({"domain": [_("Write a domain such as acme.example.")]})
    if SsoDomain.objects.filter(domain=domain).exists():
        raise Refused(_("This domain is in the list already."), field="domain")
    made = SsoDomain.objects.create(domain=domain)
    record("sso.domain_added", made, facts={"domain": domain})
    return made


def check_domain(domain: SsoDomain) -> bool | None:
    """Look into the domain's DNS now; True where it is the tenant's, None where no answer came, which changes nothing.

    A proven domain is given up only after three looks in a row that did not find the record, of the first of which the
    owners are told; and while only single sign-on is let in it is not, for that would let passwords in.
    """
    found = txt.has_text(txt.place(domain.domain), txt.proof(domain.challenge))
    with transaction.atomic():
        row = SsoDomain.objects.select_for_update().get(pk=domain.pk)
        row.checked_at = clock.now()
        if found:
            row.misses = 0
            if row.verified_at is None:
                row.verified_at = clock.now()
                record("sso.domain_verified", row, facts={"domain": row.domain})
        elif found is False and row.verified_at is not None:
            _miss(row)
        row.save()
    return found


def _miss(row: SsoDomain) -> None:
    before, row.misses = row.misses, min(row.misses + 1, MOST_MISSES)
    is_only = row.tenant.is_sso_only
    if row.misses == MOST_MISSES and not is_only:
        row.verified_at = None
        record("sso.domain_lost", row, facts={"domain": row.domain})
    elif before == 0 or before < row.misses == MOST_MISSES:
        record("sso.domain_missing", row, facts={"domain": row.domain, "misses": row.misses})
        if is_only:
            security_event(Event.DOMAIN_MISSING, tenant=str(row.tenant_id), domain=str(row.pk), misses=row.misses)
    if before == 0:
        tell_domain_missing(row, is_only=is_only)


@transaction.atomic
def remove_domain(domain: SsoDomain, *, by: Member) -> None:
    """Take a domain out. Raises Refused for the last proven one while only single sign-on is let in."""
    _keep_a_door(losing=domain)
    record("sso.domain_removed", domain, facts={"domain": domain.domain})
    domain.delete()


@transaction.atomic
def set_sso_only(tenant: Tenant, *, on: bool, break_glass: list[Member], by: Member) -> None:
    """Let members of proven domains in by their provider only, or by any way again.

    Raises Refused without a provider, a proven domain, and an owner with a second factor who can still get in.
    """
    lock_owners()  # else one who is named here could be made a member, or give their factor up, at this moment
    break_glass = list(Member.objects.filter(pk__in=[member.pk for member in break_glass]).select_related("user"))
    if on:
        _check_sso_only(break_glass)
    kept = sorted(str(pk) for pk in Member.objects.filter(is_break_glass=True).values_list("pk", flat=True))
    before = {"on": tenant.is_sso_only, "break_glass": kept}
    Member.objects.filter(is_break_glass=True).update(is_break_glass=False)
    Member.objects.filter(pk__in=[member.pk for member in break_glass]).update(is_break_glass=True)
    Tenant.objects.filter(pk=tenant.pk).update(is_sso_only=on)
    facts = {"on": on, "break_glass": sorted(str(member.pk) for member in break_glass), "before": before}
    record("sso.only", tenant, facts=facts)
    if on:
        domains = set(SsoDomain.objects.verified().values_list("domain", flat=True))
        for member in Member.objects.active().filter(is_break_glass=False).select_related("user"):
            if rules.domain_of(member.email) in domains:
                end_families(member.user_id, member.tenant_id)


def admit(connection: SsoConnection, person: Said) -> SsoIdentity:
    """Whom a verified answer of the tenant's own provider lets in; a new member where the address is in a proven domain.

    Known subjects are known by (connection, subject) alone. Raises NotAdmitted, and MustLink for a member who has not
    come this way before. Run as the tenant's system; a quota that is reached raises PaymentRequired and makes nobody.
    """
    known = SsoIdentity.objects.select_related("member__user").filter(connection=connection, subject=person.subject)
    if found := known.first():
        if not found.member.can_act:
            raise NotAdmitted("shut_out", _("You are shut out of this organisation; an owner can let you in again."))
        SsoIdentity.objects.filter(pk=found.pk).update(last_used_at=clock.now())
        return found
    if person.email and not rules.is_address(person.email):
        raise NotAdmitted(
            "address_is_none", _("What your provider gives as your e-mail address is none, so nobody is let in.")
        )
    if not rules.may_match(connection.kind, person, proven_domains()):
        raise NotAdmitted(
            "address_not_proven",
            _("Your provider did not give a verified address in a domain of this organisation, so nobody is let in."),
        )
    member = (
        Member.objects.filter(is_service=False).select_related("user").filter(user__email__iexact=person.email).first()
    )
    if member is None:
        return _join(connection, person)
    if not member.can_act:
        raise NotAdmitted("shut_out", _("You are shut out of this organisation; an owner can let you in again."))
    if SsoIdentity.objects.filter(connection=connection, member=member).exists():
        security_event(Event.IDENTITY_FORGED, reason="another_subject", connection=str(connection.pk))
        raise NotAdmitted(
            "another_subject",
            _("This address belongs to another account at your provider; an owner must unlink that one first."),
        )
    raise MustLink(member)


@transaction.atomic
def link(connection: SsoConnection, *, subject: str, member: Member) -> SsoIdentity:
    """Tie a member to their subject at the provider, because they said so after the provider vouched for them.

    Raises Refused where one of the two is tied already, by a second press of the button for example.
    """
    made = SsoIdentity(connection=connection, subject=subject, member=member, last_used_at=clock.now())
    try:
        with transaction.atomic():
            made.save(force_insert=True)
    except IntegrityError:
        raise Refused(_("This account is linked already; sign in by the provider again.")) from None
    record("sso.linked", made, member, connection, facts={"subject_sha256": _digest(subject)})
    tell_linked(member.user, tenant=member.tenant.name, row=made.pk)
    return made


@transaction.atomic
def unlink(identity: SsoIdentity, *, by: Member) -> None:
    """Forget who somebody is at the provider; sessions that it opened end, and the next sign-in asks again."""
    record("sso.unlinked", identity, identity.member, facts={"subject_sha256": _digest(identity.subject)})
    identity.delete()


def refused(reason: str, connection: SsoConnection, email: str = "") -> None:
    """Write a refused sign-in into the log of the tenant whose provider it was; by the address that was said, if any was."""
    with called_by_address(email) as account, transaction.atomic():
        facts = {"reason": reason, **({"account": str(account)} if account else {})}
        record("sso.refused", connection, facts=facts, outcome="refused")


def proven_domains() -> frozenset[str]:
    """The mail domains that the tenant in force has proven to own, and whose record is there."""
    return frozenset(SsoDomain.objects.proven().values_list("domain", flat=True))


@transaction.atomic
def _join(connection: SsoConnection, person: Said) -> SsoIdentity:
    with tenant_context(NOBODY):
        is_known = User.objects.filter(email__iexact=person.email).exists()
    if is_known:
        raise NotAdmitted(
            "known_elsewhere",
            _("Somebody with this address is known to Orkestra and no member here; ask an owner for an invitation."),
        )
    invitation = Invitation.objects.open().select_for_update().filter(email=person.email).first()
    user = create_person(email=person.email, name=person.name or person.email, password=None)
    is_asked = invitation is not None and not invitation.has_run_out
    member = add_member(
        user, role=Role(invitation.role if invitation and is_asked else connection.default_role), by=None
    )
    if invitation is not None and is_asked:
        invitation.accepted_at = clock.now()
        invitation.save()
        record("invitation.accepted", invitation, member)
        for team in Team.objects.filter(pk__in=invitation.teams):
            join_team(team, member, by=None)
    record("sso.joined", member, connection, facts={"role": str(member.role)})
    return link(connection, subject=person.subject, member=member)


def _check_role(role: str) -> None:
    if role not in JOINING_ROLES:
        raise Invalid({"default_role": [_("Who joins by a provider becomes a member or a viewer.")]})


def _ask(issuer: str) -> None:
    try:
        provider.discover(issuer)
    except Mistrusted as found:
        words = {"issuer_differs": _("The provider calls itself by another issuer than this; copy it exactly.")}
        raise Refused(
            words.get(found.reason) or _("Its discovery lacks an address that we need."), field="issuer"
        ) from None
    except provider.Unreachable as found:
        text = _("No provider answers there (%(reason)s).") % {"reason": found.reason.replace("_", " ")}
        raise Refused(text, field="issuer") from None


def _check_sso_only(break_glass: list[Member]) -> None:
    if not SsoConnection.objects.active().exists() or not SsoDomain.objects.proven().exists():
        raise Refused(_("First add a provider and prove a domain, else nobody could get in."))
    if not any(member.role == Role.OWNER and member.can_act for member in break_glass):
        raise Refused(_("Choose at least one owner who can get in when the provider is away."), field="break_glass")
    for member in break_glass:
        if member.role != Role.OWNER or not second_factor.is_set_up(member.user_id):
            text = _("%(name)s has no second factor yet: set one up first.") % {"name": member.name}
            raise Refused(text, field="break_glass")


def _keep_a_door(*, removing: SsoConnection | None = None, losing: SsoDomain | None = None) -> None:
    """While only single sign-on is let in, the last provider and the last proven domain stay."""
    if not Tenant.objects.get(pk=current_tenant()).is_sso_only:
        return
    left = SsoConnection.objects.active().exclude(pk__in=[removing.pk] if removing else [])
    domains = SsoDomain.objects.verified().exclude(pk__in=[losing.pk] if losing else [])
    if not left.exists() or not domains.exists():
        raise Refused(_("Switch “single sign-on only” off first: this is the last way in."), code="last_door")


def _facts(connection: SsoConnection) -> dict[str, str]:
    return {
        "kind": str(connection.kind),
        "issuer_sha256": _digest(connection.issuer),
        "client_sha256": _digest(connection.client_id),
        "default_role": str(connection.default_role),
        "factor_trust": str(connection.factor_trust),
    }


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
