"""What the Security page says of the log, checked on the running system."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import connection
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.tenants import clock
from apps.tenants.context import as_system, current
from apps.tenants.models import PLATFORM_TENANT_ID
from apps.tenants.slots import Finding, slots

from . import anchored, keys, note, tree
from .checkpoints import INSTANCE, NotSigned, newest_checkpoint
from .incarnations import check_anchors
from .models import Log, Verified
from .proofs import witnessed
from .reconcile import last_reconciliation, reconcile
from .storage import MissingHash
from .verify import Verification, recent_verification
from .walk import Damage

WALKED_WITHIN = timedelta(hours=2)  # the job comes every hour


def chain() -> Finding:
    """The log of the tenant in force, or the platform's own for a visitor, verified now."""
    if current().tenant is None:
        with as_system(PLATFORM_TENANT_ID):
            own = chain()
        about = _("Orkestra's own log: %(detail)s. A tenant's log is verified on its own home page.")
        return Finding(own.holds, about % {"detail": own.detail})
    found = recent_verification()
    in_part = found.since > 0 or found.until < found.sealed
    last = Verified.objects.first() if in_part else None
    for one in (found, last):
        if one is not None and not one.whole:
            return Finding(False, _("The chain breaks at entry #%(seq)s.") % {"seq": one.first_bad})
    compared = last_reconciliation()
    if compared is not None and not compared.whole:
        return Finding(False, _("Something was done without an entry: %(what)s.") % {"what": compared.reason})
    if in_part:
        return _of_a_long_log(found, last.full_at if last else None)
    text = ngettext(
        "%(n)s entry, whole from the first to the last", "%(n)s entries, whole from the first to the last", found.sealed
    )
    return Finding(True, text % {"n": found.sealed})


def _of_a_long_log(found: Verification, walked: datetime | None) -> Finding:
    """Its newest part was walked now; the rest by the hourly job, which must have done it lately."""
    if walked is None or clock.now() - walked > WALKED_WITHIN or found.until < found.sealed:
        return Finding(None, _("The log is too long to walk while you wait, and the worker is behind with it."))
    text = _("%(n)s entries, whole from the first to the last %(time)s ago; what has come since continues them")
    return Finding(True, text % {"n": found.sealed, "time": timesince(walked, clock.now())})


def signed() -> Finding:
    """The newest signed head of the log in force verifies, stands in the instance log, and is kept outside the database.

    For a visitor that of the instance log itself, over the checkpoints of all tenants.
    """
    if current().tenant is None:
        with as_system(PLATFORM_TENANT_ID):
            return _instance_signed()
    made = newest_checkpoint()
    if made is None:
        return Finding(None, _("Nothing is signed yet; the worker signs within half a minute."))
    try:
        anchors = slots.anchored()
        note.open_note(made.note, keys.verifiers(made.origin))
        whole = witnessed(made)
    except (NotSigned, note.BadNote, MissingHash) as fault:
        return Finding(False, str(fault))
    if whole is None:
        return Finding(
            False, _("The newest checkpoint is not in the log of all checkpoints, or that may not be signed.")
        )
    if complaint := anchored.complaint():
        return Finding(False, complaint)
    if not anchors:
        return Finding(None, _("Signed, and no anchor is kept outside the database yet."))
    text = _(
        "%(n)s entries are signed; %(places)s places outside the database hold a head of the log of all checkpoints."
    )
    return Finding(True, text % {"n": made.size, "places": len(anchors)})


def reconciled() -> Finding:
    """The log of the tenant in force against what the rooms store, or as last found for a visitor."""
    if current().tenant is None:
        with as_system(PLATFORM_TENANT_ID):
            found = reconcile()
        about = _("In Orkestra's own log %(n)s kinds of rows were compared; a tenant sees its own on its own page.")
        return Finding(found.whole, about % {"n": found.compared} if found.whole else found.reason)
    last = last_reconciliation()
    if last is None:
        return Finding(None, _("Nothing was compared yet; the hourly job does it."))
    if not last.whole:
        return Finding(False, last.reason)
    return Finding(True, _("%(n)s kinds of rows were compared, and each row has its entry.") % {"n": last.compared})


def _instance_signed() -> Finding:
    try:
        anchors = slots.anchored()  # first: whatever is kept outside is older than the newest checkpoint read next
    except NotSigned as fault:
        return Finding(False, str(fault))
    made = newest_checkpoint(Log.INSTANCE)
    if made is None:
        return Finding(None, _("Nothing is signed yet; the worker signs within half a minute."))
    try:
        note.open_note(made.note, keys.verifiers(made.origin))
        if tree.root(made.size, INSTANCE) != bytes(made.root):
            return Finding(False, _("The log of all checkpoints is not the one that was signed."))
        check_anchors(anchors, made.size, INSTANCE)
    except (note.BadNote, MissingHash, Damage) as fault:
        return Finding(False, str(fault))
    if complaint := anchored.complaint():
        return Finding(False, complaint)
    text = _("%(n)s checkpoints of all logs are signed; %(places)s places outside the database hold a head over them.")
    return Finding(True if anchors else None, text % {"n": made.size, "places": len(anchors)})


def append_only() -> Finding:
    """The app's role may add and read entries, and only read seals."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT has_table_privilege('audit_entry', 'INSERT'), has_table_privilege('audit_entry', 'UPDATE, DELETE'),"
            " has_table_privilege('audit_seal', 'INSERT, UPDATE, DELETE')"
        )
        may_add, may_change, may_seal = cursor.fetchone()
    holds = bool(may_add and not may_change and not may_seal)
    return Finding(holds, _("The app's database role can add entries, and can neither change, delete nor seal them."))
