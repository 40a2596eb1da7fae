"""Tenants, people, members and teams."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import timedelta

from allauth.account.models import EmailAddress
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from apps.audit.actions import record, record_platform
from apps.billing import actions as billing
from apps.tenants import clock
from apps.tenants.context import NOBODY, as_system, current, tenant_context, with_changes
from apps.tenants.freshness import SHOWN, require_fresh
from apps.tenants.ids import new_id
from apps.tenants.models import Tenant
from apps.tenants.refusals import Invalid, Refused
from apps.tenants.slots import slots

from ..models import Member, Team, TeamMember, User
from ..rules import Role


def create_person(*, email: str, name: str, password: str | None) -> User:
    """A person who can sign in and belongs to no tenant yet. Raises Refused when the address is taken."""
    with tenant_context(NOBODY), transaction.atomic():
        if User.objects.filter(email__iexact=email).exists():
            raise Refused("A person with this e-mail address exists already.", field="email")
        return User.objects.create_user(email, password, name=name)


def make_super_admin(user: User) -> None:
    """Let a person look across all tenants. The owner's connection alone may, which web and worker do not have."""
    with transaction.atomic(), transaction.atomic(using="owner"):
        record_platform("person.made_super_admin", facts={"person": str(user.pk)})
        made = User(pk=user.pk, is_platform_admin=True)
        made.save(using="owner", force_update=True, update_fields=["is_platform_admin"])
    user.is_platform_admin = True


def unmake_super_admin(user: User) -> None:
    """Take it away again; the person's next request finds no door to the platform."""
    with tenant_context(NOBODY), transaction.atomic():
        record_platform("person.unmade_super_admin", facts={"person": str(user.pk)})
        User.objects.filter(pk=user.pk).update(is_platform_admin=False)
    user.is_platform_admin = False


def create_proven_person(*, email: str, name: str, password: str) -> User:
    """A person to whose address a link was mailed that they have opened, so that it is theirs.

    Raises Invalid for a password that is too weak, Refused when the address is taken.
    """
    try:
        validate_password(password, User(email=email, name=name))
    except ValidationError as error:
        raise Invalid({"password": error.messages}) from None
    made = create_person(email=email, name=name, password=password)
    with tenant_context(NOBODY):
        EmailAddress.objects.create(user=made, email=made.email, primary=True, verified=True)
    return made


def create_tenant(
    *,
    slug: str,
    name: str,
    timezone: str,
    owner: User,
    plan: str = billing.FIRST_PLAN,
    trial: timedelta | None = None,
    credential: str = "",
) -> Tenant:
    """A tenant with its first owner, who may do everything in it, on a plan, or on trial of it for a time.

    With a `credential` it is the owner's own act, else Orkestra's. Raises Refused when the address is taken.
    """
    identity = new_id()
    acting = with_changes(user=owner.pk, credential=credential) if credential else nullcontext()
    with as_system(identity), acting, transaction.atomic():
        tenant = _claim(Tenant(id=identity, slug=slug, name=name, timezone=timezone))
        record("tenant.created", tenant)
        billing.start(key=plan, trial_ends_at=clock.now() + trial if trial else None)
        _make_member(owner, Role.OWNER)
    return tenant


def _claim(tenant: Tenant) -> Tenant:
    """Store it: nobody but the database knows every address that is taken, and of two at one moment it takes one."""
    try:
        with transaction.atomic():
            tenant.save(force_insert=True)
    except IntegrityError:
        raise Refused(_("This address is taken already; choose another."), field="slug") from None
    return tenant


@transaction.atomic
def change_tenant(tenant: Tenant, *, name: str, timezone: str, by: Member) -> Tenant:
    """Another name or time zone; the address stays, since links name it."""
    before = {"name": tenant.name, "timezone": tenant.timezone}
    tenant.name, tenant.timezone = name, timezone
    tenant.save()
    record("tenant.changed", tenant, facts={"name": name, "timezone": timezone, "before": before})
    return tenant


@transaction.atomic
def require_factor(tenant: Tenant, *, days: int | None, by: Member) -> Tenant:
    """Ask every member for a second factor in so many days, 0 for at once, or of nobody any more (None).

    Raises Refused where whoever asks for it has not shown one: they would be the first to be out.
    """
    if days is not None and not SHOWN & set(current().amr):
        raise Refused(_("Sign in with a second factor first: without one you would be the first to be out."))
    begins = None if days is None else clock.now() + timedelta(days=days)
    if begins and tenant.factor_required_from and tenant.factor_required_from < begins:
        begins = tenant.factor_required_from  # asking again gives nobody more time
    before, tenant.factor_required_from = tenant.factor_required_from, begins
    tenant.save(update_fields=["factor_required_from"])
    facts = {"from": begins.isoformat() if begins else None, "from_before": before.isoformat() if before else None}
    record("factor.required", tenant, facts=facts)
    return tenant


@transaction.atomic
def add_member(user: User, *, role: Role, by: Member | None) -> Member:
    """Make a person a member of the tenant in force. Raises Refused when they are one already."""
    if Member.objects.filter(user_id=user.pk).exists():
        raise Refused("This person is a member already.", field="user")
    return _make_member(user, role)


def _make_member(user: User, role: Role) -> Member:
    member = Member.objects.create(user=user, role=role)
    record("member.added", member, facts={"role": str(role)})
    return member


@transaction.atomic
def create_team(*, name: str, slug: str, by: Member | None) -> Team:
    """An empty team. Raises Refused when its short name is taken."""
    if Team.objects.filter(slug=slug).exists():
        raise Refused("A team with this short name exists already.", field="slug")
    team = Team.objects.create(name=name, slug=slug)
    record("team.created", team, facts={"slug": slug})
    return team


@transaction.atomic
def join_team(team: Team, member: Member, *, by: Member | None) -> TeamMember:
    """Put a member into a team; once is enough. Raises Refused for a service account: teams name those who decide.

    Raises NotFresh where the team owns a form. Without `by` it is the member who joins, as they were invited to.
    """
    if member.is_service:
        raise Refused(_("A service account joins no team; give it access to forms by name."), code="service_account")
    if by is not None and slots.team_owns(team.pk):
        require_fresh("form.own")
    seat, made = TeamMember.objects.get_or_create(team=team, member=member)
    if made:
        record("team.changed", team, member, facts={"joined": str(member.pk)})
    return seat
