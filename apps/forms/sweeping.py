"""Bytes that no row refers to go: at once where the row was refused, and a day after they were first seen where it was deleted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

from django.db import DatabaseError, transaction
from django.utils.translation import gettext as _

from apps.tenants import clock
from apps.tenants.context import current_tenant
from apps.tenants.models import Tenant
from apps.tenants.refusals import Unavailable

from . import store
from .models import Attachment

PATIENCE = timedelta(days=1)  # longer than any backup takes: the rows that it has read still name their files


@contextmanager
def with_rows(*stored: store.Stored) -> Iterator[None]:
    """A transaction in which these bytes get their rows; where it fails, what no other row refers to goes again.

    Raises Unavailable when the bytes went just before, so that no row is ever written without them.
    """
    places = [store.path_of(current_tenant(), one.sha256) for one in stored]
    try:
        with transaction.atomic():
            _hold()
            if not all(place.is_file() for place in places):
                raise Unavailable(_("The file could not be stored; nothing was kept. Try again in a minute."))
            yield
    except BaseException:
        with suppress(DatabaseError, OSError):  # the sweep finds it; what is told is why the row was refused
            for place in places:
                _drop(place)
        raise


def sweep() -> int:
    """Delete the files of the tenant in force that no row has referred to for a day; returns how many.

    One is marked when it is first seen so, and goes when the mark is old.
    """
    referred = set(Attachment.objects.values_list("sha256", flat=True))
    for partial in store.partials(current_tenant()):
        if _is_old(partial):
            partial.unlink(missing_ok=True)
    return sum(_swept(place, place.name in referred) for place in store.places(current_tenant()))


def _swept(place: Path, is_referred: bool) -> bool:
    mark = store.mark_of(place)
    if not is_referred and mark.exists() and _is_old(mark):
        return _drop(place)
    if is_referred:
        mark.unlink(missing_ok=True)
    elif not mark.exists():
        mark.touch(mode=0o600)
    return False


def _drop(place: Path) -> bool:
    """Delete it unless a row refers to it. Nobody writes one meanwhile."""
    with transaction.atomic():
        _hold()
        if Attachment.objects.filter(sha256=place.name).exists():
            return False
        place.unlink(missing_ok=True)
        store.mark_of(place).unlink(missing_ok=True)
    return True


def _hold() -> None:
    """Rows for bytes of this tenant are written, and its bytes deleted, by one at a time until the transaction ends."""
    Tenant.objects.select_for_update(no_key=True).get(pk=current_tenant())


def _is_old(path: Path) -> bool:
    return clock.now().timestamp() - path.stat().st_mtime > PATIENCE.total_seconds()
