"""The keys of the signed context in the database: made and retired as the owner, readable by no working role."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from . import signing
from .models import ContextKey

ALIAS = "owner"
OVERLAP = timedelta(minutes=10)  # far longer than a process keeps to a key and a signed value lives, together


def ensure() -> str | None:
    """Make a first key for this secret where there is none; returns its id if it was made now."""
    own = signing.fingerprint(settings.SECRET_KEY)
    if _keys().filter(fingerprint=own, retires_at=None).exists():
        return None
    return _make(own)


def rotate(*, retire_others: bool = False) -> str:
    """Make a new key; older ones of the same secret hold for OVERLAP more, so that nothing stops. Returns its id.

    `retire_others` retires the keys of other secrets too: only when no process runs with one any more.
    """
    own = signing.fingerprint(settings.SECRET_KEY)
    with transaction.atomic(using=ALIAS):
        retiring = Q() if retire_others else Q(fingerprint=own)
        _keys().filter(retiring, retires_at=None).update(retires_at=Now() + OVERLAP)
        kid = _make(own)
        _keys().filter(retires_at__lt=Now()).delete()
    return kid


def _make(own: str) -> str:
    number = 1 + max((int(kid.rpartition("-")[2]) for kid in _keys().values_list("kid", flat=True)), default=0)
    kid = f"{own}-{number}"
    inner, outer = signing.blocks(signing.key_of(settings.SECRET_KEY, kid))
    _keys().create(kid=kid, fingerprint=own, inner_block=inner, outer_block=outer)
    return kid


def _keys() -> Any:
    return ContextKey.objects.db_manager(ALIAS)
