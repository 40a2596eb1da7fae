"""A second factor that its person gave up."""

from __future__ import annotations

from django.db import transaction

from apps.tenants.slots import slots

from ..models import User
from .families import end_families, lock_person
from .notices import tell_factor_removed
from .sessions import end_sessions, factor_changed


@transaction.atomic
def factor_gone(user: User, kind: str, *, row: object, but: str) -> bool:
    """Record that a factor is gone; with the last one ends what it had opened, but for this session. Whether it was the last.

    Called in the transaction that takes it.
    """
    lock_person(user.pk)  # of two that go at one moment, the second sees that it is the last
    factor_changed(user, "factor.removed", {"kind": kind})
    tell_factor_removed(user, kind, row=row)
    if slots.has_second_factor(user.pk):
        return False
    end_families(user.pk)
    end_sessions(user.pk, but=but)
    return True
