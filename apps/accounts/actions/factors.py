"""A second factor that its person gave up."""

from __future__ import annotations

from django.db import transaction

from apps.tenants.context import as_system
from apps.tenants.slots import slots

from ..models import Member, User
from ..people import memberships
from ..rules import Role
from .families import end_families, lock_person
from .members import keep_break_glass, locked
from .notices import tell_factor_removed
from .sessions import end_sessions, factor_changed


@transaction.atomic
def factor_gone(user: User, kind: str, *, row: object, but: str) -> bool:
    """Record that a factor is gone; with the last one ends what it had opened, but for this session. Whether it was the last.

    Called in the transaction that takes it. Raises Refused where it was the last one of a tenant's only owner for
    emergencies.
    """
    owned = _owned(user)  # before the person: so lock they who shut an owner out
    lock_person(user.pk)  # of two that go at one moment, the second sees that it is the last
    factor_changed(user, "factor.removed", {"kind": kind})
    tell_factor_removed(user, kind, row=row)
    if slots.has_second_factor(user.pk):
        return False
    for member in owned:
        with as_system(member.tenant.pk):
            keep_break_glass(member)
    end_families(user.pk)
    end_sessions(user.pk, but=but)
    return True


def _owned(user: User) -> list[Member]:
    """Where the person is an owner; the owners of each of these tenants are locked."""
    found = []
    for member in memberships(user.pk):
        if member.role == Role.OWNER:
            with as_system(member.tenant.pk):
                found.append(locked(member.pk))
    return found
