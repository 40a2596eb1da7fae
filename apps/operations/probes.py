"""What the Security page says of operations, checked on the running system."""

from __future__ import annotations

from django.conf import settings
from django.db import connection
from django.utils.timesince import timesince
from django.utils.translation import gettext as _

from apps.tenants.roles import BACKUP
from apps.tenants.slots import Finding

from . import backup
from .backup.manifest import read


def backups() -> Finding:
    """The backup's role can write nothing; and how old the newest backup of the usual folder is."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
            " AND has_table_privilege(%s, oid, 'INSERT, UPDATE, DELETE, TRUNCATE')",
            [BACKUP],
        )
        (writable,) = cursor.fetchone()
    if writable:
        return Finding(False, _("The backup's role may write %(n)s tables.") % {"n": writable})
    newest = backup.latest(settings.BACKUPS_ROOT)
    if newest is None:
        return Finding(None, _("The backup's role can write nothing. No backup was taken into the usual folder yet."))
    age = timesince(read(newest).moment)
    return Finding(True, _("The backup's role can write nothing; the newest backup is %(age)s old.") % {"age": age})
