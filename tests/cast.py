"""The fixed cast: each test gets its own two companies, with the same people in the same roles."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID, uuid4

from django.core.management import call_command
from django.db import transaction

from apps.accounts import actions
from apps.accounts.models import Member, Team, User
from apps.accounts.rules import Role
from apps.audit.actions import record
from apps.tenants import clock
from apps.tenants.context import NOBODY, TenantContext, tenant_context
from apps.tenants.inserting import insert_together
from apps.tenants.models import Tenant

PASSWORD = "correct horse battery"


def acting_as(member: Member) -> AbstractContextManager[TenantContext]:
    """The context that the gateway would make for this member."""
    return tenant_context(
        TenantContext(
            tenant=member.tenant_id,
            user=member.user_id,
            member=member.pk,
            permissions=member.permissions,
            credential="session",
            auth_time=clock.now(),
            amr=("pwd",),
            request_id=f"test-{uuid4()}",
        )
    )


@dataclass
class Company:
    """A tenant with an owner, an editor and a reviewer (both members), and a viewer."""

    tenant: Tenant
    owner: Member
    editor: Member
    reviewer: Member
    viewer: Member

    @property
    def id(self) -> UUID:
        return self.tenant.pk

    @property
    def slug(self) -> str:
        return self.tenant.slug

    def url(self, path: str = "") -> str:
        """The address of one of its pages."""
        return f"/t/{self.slug}/{path}"

    def member(self, name: str, role: Role = Role.MEMBER) -> Member:
        """One more person."""
        user = person(name, self.slug)
        with acting_as(self.owner):
            return actions.add_member(user, role=role, by=self.owner)

    def team(self, name: str, *members: Member) -> Team:
        """A team of these members."""
        with acting_as(self.owner):
            team = actions.create_team(name=name, slug=name.lower().replace(" ", "-"), by=self.owner)
            for member in members:
                actions.join_team(team, member, by=self.owner)
        return team


class DemoCast:
    """The people of the demo, by the part of their address before the @."""

    def __init__(self) -> None:
        with tenant_context(TenantContext(platform=True, credential="system")):
            self.members = {
                (member.tenant.slug, member.user.email.partition("@")[0]): member
                for member in Member.objects.select_related("user", "tenant").filter(
                    tenant__slug__in=("acme", "globex")
                )
            }

    def acme(self, name: str) -> Member:
        return self.members["acme", name]

    def globex(self, name: str) -> Member:
        return self.members["globex", name]


@lru_cache(maxsize=1)
def demo() -> DemoCast:
    """Seed the demo into this process's database, by the command that operators use."""
    os.environ["ORKESTRA_DEMO_PASSWORD"] = PASSWORD
    call_command("seed_demo", verbosity=0)
    return DemoCast()


def people(company: str, *names: str) -> list[User]:
    """Users as `person` makes them, by one statement."""
    made = [User(email=f"{name}@{company}.example", name=name.capitalize()) for name in names]
    for user in made:
        user.set_password(PASSWORD)
    with tenant_context(NOBODY):
        return User.objects.bulk_create(made)


def person(name: str, company: str) -> User:
    """A user whose password is PASSWORD."""
    return actions.create_person(email=f"{name}@{company}.example", name=name.capitalize(), password=PASSWORD)


def super_admin(email: str) -> User:
    """A person without a password who looks across all tenants."""
    user = actions.create_person(email=email, name="Root", password=None)
    actions.make_super_admin(user)
    return user


def company(name: str) -> Company:
    """A fresh company; its address is unique among all tests of this run.

    Nearly every test begins with one, so its other members are made side by side, each with the entry of `add_member`.
    """
    slug = f"{name}-{uuid4().hex[:10]}"
    first, *others = people(slug, "owner", "editor", "reviewer", "viewer")
    tenant = actions.create_tenant(slug=slug, name=name.upper(), timezone="Europe/Berlin", owner=first)
    with tenant_context(TenantContext.system(tenant.pk)):
        owner = Member.objects.select_related("user", "tenant").get(user=first)
    with acting_as(owner), transaction.atomic():
        roles = (Role.MEMBER, Role.MEMBER, Role.VIEWER)
        members = [Member(user=user, role=role) for user, role in zip(others, roles, strict=True)]
        insert_together(*members)
        for member in members:
            record("member.added", member, facts={"role": str(member.role)})
    return Company(tenant, owner, *members)
