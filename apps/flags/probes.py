"""What the Security page says of flags, checked on the running system."""

from __future__ import annotations

from django.db import connection
from django.utils.translation import gettext as _

from apps.tenants.slots import Finding

from .models import Flag
from .rules import bucket

TOLD = 2
GOLDEN = {("new-editor", "tenant-1"): 17721, ("new-editor", "tenant-2"): 43999}


def cohorts() -> Finding:
    """The golden vectors, computed now; whether the database refuses another salt, and tells processes of changes."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_trigger WHERE tgname = 'flags_flag_frozen' AND tgenabled = 'O'")
        (frozen,) = cursor.fetchone()
        cursor.execute("SELECT count(*) FROM pg_trigger WHERE tgname = 'flags_told' AND tgenabled = 'O'")
        (told,) = cursor.fetchone()
    agree = all(bucket("flagd-3", *pair) == at for pair, at in GOLDEN.items())
    text = _("%(n)s flags; the golden vectors agree, the database refuses another salt and tells of every change.") % {
        "n": Flag.objects.count()
    }
    return Finding(bool(agree and frozen and told == TOLD), text)
