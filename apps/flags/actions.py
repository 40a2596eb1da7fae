"""Changing switches; each change is in the log with before and after."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from apps.audit.actions import record, record_platform
from apps.tenants import clock
from apps.tenants.refusals import Invalid, Refused

from .evaluation import forget
from .models import Flag, FlagOverride
from .rules import ALGORITHMS, BUCKETS


@transaction.atomic
def create_flag(*, key: str, description: str, algo: str = "flagd-3", salt: str = "") -> Flag:
    """A new switch, off for everybody. Its salt is its key unless given. Raises Invalid, Refused."""
    if algo not in ALGORITHMS:
        raise Invalid({"algo": [_("An algorithm is one of: %(known)s.") % {"known": ", ".join(ALGORITHMS)}]})
    if Flag.objects.filter(key=key).exists():
        raise Refused(_("There is a flag %(key)s already.") % {"key": key}, field="key")
    made = Flag.objects.create(key=key, description=description, algo=algo, salt=salt or key)
    record_platform("flag.created", made, facts={"algo": made.algo, "salt": made.salt})
    forget()
    return made


@transaction.atomic
def change_flag(key: str, *, threshold: int | None = None, is_killed: bool | None = None) -> Flag:
    """Another threshold, or killed or not. Raises Refused for an unknown flag, Invalid for a threshold beyond all."""
    flag = Flag.objects.select_for_update().filter(key=key).first()
    if flag is None:
        raise Refused(_("There is no flag %(key)s.") % {"key": key}, field="key")
    if threshold is not None and not 0 <= threshold <= BUCKETS:
        raise Invalid({"threshold": [_("A threshold is 0 to %(n)s.") % {"n": BUCKETS}]})
    before: dict[str, Any] = {"threshold": flag.threshold, "is_killed": flag.is_killed}
    flag.threshold = flag.threshold if threshold is None else threshold
    flag.is_killed = flag.is_killed if is_killed is None else is_killed
    after = {"threshold": flag.threshold, "is_killed": flag.is_killed}
    if after != before:
        flag.version, flag.changed_at = flag.version + 1, clock.now()
        flag.save()
        record_platform("flag.changed", flag, facts={"before": before, "after": after, "version": flag.version})
        forget()
    return flag


@transaction.atomic
def set_override(flag: Flag, is_on: bool | None) -> None:
    """On or off for the tenant in force; None takes the override back."""
    found = FlagOverride.objects.filter(flag=flag).first()
    before = found.is_on if found else None
    if before == is_on:
        return
    if is_on is None:
        FlagOverride.objects.filter(flag=flag).delete()
    else:
        FlagOverride.objects.update_or_create(flag=flag, defaults={"is_on": is_on, "set_at": clock.now()})
    record("flag.overridden", flag, facts={"before": before, "after": is_on})
    forget()
