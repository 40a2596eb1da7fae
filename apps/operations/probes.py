"""What the Security page says of operations, checked on the running system."""

from __future__ import annotations

from django.conf import settings
from django.db import connection
from django.utils.timesince import timesince
from django.utils.translation import gettext as _

from apps.tenants.roles import APP, BACKUP
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


def observability() -> Finding:
    """The app can only add security events; and the metrics, asked for now, have counted requests."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT has_table_privilege(%s, 'operations_alarm', 'INSERT'),"
            " has_table_privilege(%s, 'operations_alarm', 'SELECT, UPDATE, DELETE, TRUNCATE')",
            [APP, APP],
        )
        can_add, can_more = cursor.fetchone()
    if can_more or not can_add:
        return Finding(False, _("The app's role has other rights on security events than to add them."))
    if not settings.METRICS_PORT:
        return Finding(None, _("Security events can only be added. Metrics are switched off here."))
    import httpx

    headers = {"Authorization": f"Bearer {settings.METRICS_TOKEN}"} if settings.METRICS_TOKEN else {}
    try:
        answer = httpx.get(
            f"http://127.0.0.1:{settings.METRICS_PORT}/metrics", headers=headers, timeout=2, trust_env=False
        )
    except httpx.HTTPError:
        return Finding(None, _("Security events can only be added. The metrics do not answer here."))
    if answer.status_code != 200 or "orkestra_http_requests_total{" not in answer.text:
        return Finding(None, _("Security events can only be added. What answers on the port of the metrics has none."))
    lines = sum(1 for line in answer.text.splitlines() if line and not line.startswith("#"))
    return Finding(
        True, _("Security events can only be added; %(n)s numbers were read from the metrics.") % {"n": lines}
    )
